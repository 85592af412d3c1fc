package metadata

import "strings"

// The resource types of ConfigRecord (Kafka's ConfigResource.Type).
const (
	ConfigTopic         int8 = 2
	ConfigBroker        int8 = 4
	ConfigBrokerLogger  int8 = 8
	ConfigClientMetrics int8 = 16
	ConfigGroup         int8 = 32
)

// SensitiveConfig tells whether the value of a configuration is to be treated as a secret. Kafka keeps only broker
// configurations of type PASSWORD secret (ssl.keystore.password, sasl.jaas.config, …), also with a listener in front
// (listener.name.NAME.MECHANISM.sasl.jaas.config), and treats names it does not know as secret; so does this. Names of
// any resource that look like a secret's are taken for one too.
func SensitiveConfig(resourceType int8, name string) bool {
	if soundsSecret(name) {
		return true
	}
	switch resourceType {
	case ConfigTopic, ConfigBrokerLogger, ConfigClientMetrics, ConfigGroup:
		return false
	}
	return !plainBrokerConfig(withoutListener(name))
}

// soundsSecret holds every PASSWORD configuration of Kafka 3.0 to 4.3.
func soundsSecret(name string) bool {
	for _, end := range []string{
		"password", "passphrase", "secret", ".key", "jaas.config", "token", "credential", "credentials",
		"ssl.keystore.certificate.chain", "ssl.truststore.certificates",
	} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// withoutListener cuts listener.name.NAME. and, for SASL, the mechanism behind it. Listener and mechanism names hold
// no dot once they are in a configuration name.
func withoutListener(name string) string {
	rest, ok := strings.CutPrefix(name, "listener.name.")
	if !ok {
		return name
	}
	_, rest, _ = strings.Cut(rest, ".")
	if plainBrokerConfig(rest) {
		return rest
	}
	_, rest, _ = strings.Cut(rest, ".")
	return rest
}
