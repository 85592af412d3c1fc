package strimzi

import "github.com/kafkarecover/kafkarecover/pkg/object"

// UserSecretPrefix is what the User Operator of a Kafka resource puts before a user's name to name the Secret that it
// keeps the password or certificate in (spec.entityOperator.userOperator.secretPrefix).
func UserSecretPrefix(kafka map[string]any) string {
	return object.String(kafka, "spec", "entityOperator", "userOperator", "secretPrefix")
}

// PasswordSecret names the Secret that a KafkaUser's manifest has the password read from; empty where there is none.
func PasswordSecret(user map[string]any) string {
	if object.String(user, "spec", "authentication", "type") != UserScram {
		return ""
	}
	return object.String(user, "spec", "authentication", "password", "valueFrom", "secretKeyRef", "name")
}

// HasOwnSecret tells whether the User Operator keeps a Secret for a user (KafkaUserModel.java): it has none for one
// whose certificate somebody else issues (tls-external), and for one without authentication.
func HasOwnSecret(user map[string]any) bool {
	kind := object.String(user, "spec", "authentication", "type")
	return kind == UserScram || kind == UserTLS
}
