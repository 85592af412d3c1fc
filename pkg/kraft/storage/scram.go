package storage

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kafkarecover/kafkarecover/pkg/kraft/metadata"
)

// The bounds of org.apache.kafka.common.security.scram.internals.ScramMechanism.
const (
	minIterations     = 4096
	maxIterations     = 16384
	defaultIterations = 4096
)

// scramMechanism is one of the two that Kafka has.
type scramMechanism struct {
	number  int8
	newHash func() hash.Hash
}

func scramMechanisms() map[string]scramMechanism {
	return map[string]scramMechanism{
		"SCRAM-SHA-256": {1, sha256.New},
		"SCRAM-SHA-512": {2, sha512.New},
	}
}

// parseScram makes the credential of one --add-scram argument, MECHANISM=[name=…,password=…,salt=…,iterations=…], after
// Kafka's ScramParser. The password does not appear in errors.
func parseScram(argument string, random io.Reader) (*metadata.UserScramCredentialRecord, error) {
	name, list, found := strings.Cut(strings.TrimSpace(argument), "=")
	if !found {
		return nil, fmt.Errorf("read SCRAM argument: expected MECHANISM=[name=…,password=…], found no equals sign")
	}
	mechanism, known := scramMechanisms()[name]
	if !known {
		return nil, fmt.Errorf("read SCRAM argument: mechanism %q is not supported; use SCRAM-SHA-256 or SCRAM-SHA-512", name)
	}
	if !strings.HasPrefix(list, "[") || !strings.HasSuffix(list, "]") {
		return nil, fmt.Errorf("read SCRAM argument of %s: expected the settings in [ and ]", name)
	}
	settings := map[string]string{}
	for component := range strings.SplitSeq(list[1:len(list)-1], ",") {
		key, value, found := strings.Cut(component, "=")
		if !found {
			return nil, fmt.Errorf("read SCRAM argument of %s: found a setting without equals sign", name)
		}
		if len(value) >= 2 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) {
			value = value[1 : len(value)-1]
		}
		settings[key] = value
	}
	return mechanism.credential(settings, random)
}

func (m scramMechanism) credential(
	settings map[string]string, random io.Reader,
) (*metadata.UserScramCredentialRecord, error) {
	take := func(key string) (string, bool) {
		value, ok := settings[key]
		delete(settings, key)
		return value, ok
	}
	user, ok := take("name")
	if !ok {
		return nil, fmt.Errorf("read SCRAM argument: you must supply 'name'")
	}
	r := &metadata.UserScramCredentialRecord{Name: user, Mechanism: m.number, Iterations: defaultIterations}
	if text, ok := take("iterations"); ok {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < minIterations || n > maxIterations {
			return nil, fmt.Errorf("read SCRAM argument of user %q: expected %d to %d iterations, found %q", user,
				minIterations, maxIterations, text)
		}
		r.Iterations = int32(n)
	}
	salt, hasSalt := take("salt")
	if err := setSalt(r, salt, hasSalt, random); err != nil {
		return nil, err
	}
	password, hasPassword := take("password")
	salted, hasSalted := take("saltedpassword")
	if len(settings) > 0 {
		return nil, fmt.Errorf("read SCRAM argument of user %q: unknown settings %s", user,
			strings.Join(slices.Sorted(maps.Keys(settings)), ", "))
	}
	var saltedPassword []byte
	var err error
	switch {
	case hasPassword:
		saltedPassword, err = pbkdf2.Key(m.newHash, password, r.Salt, int(r.Iterations), m.newHash().Size())
	case hasSalted && !hasSalt:
		return nil, fmt.Errorf("read SCRAM argument of user %q: you must supply 'salt' with 'saltedpassword'", user)
	case hasSalted:
		saltedPassword, err = base64.StdEncoding.DecodeString(salted)
	default:
		return nil, fmt.Errorf("read SCRAM argument of user %q: you must supply one of 'password' or 'saltedpassword'", user)
	}
	if err != nil {
		return nil, fmt.Errorf("read SCRAM argument of user %q: the salted password cannot be used", user)
	}
	clientKey := m.hmac(saltedPassword, "Client Key")
	stored := m.newHash()
	stored.Write(clientKey)
	r.StoredKey, r.ServerKey = stored.Sum(nil), m.hmac(saltedPassword, "Server Key")
	return r, nil
}

func setSalt(r *metadata.UserScramCredentialRecord, text string, given bool, random io.Reader) (err error) {
	if given {
		r.Salt, err = base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fmt.Errorf("read SCRAM argument of user %q: the salt is no base64: %w", r.Name, err)
		}
		return nil
	}
	const saltBytes = 24
	r.Salt = make([]byte, saltBytes)
	if _, err := io.ReadFull(random, r.Salt); err != nil {
		return fmt.Errorf("make a salt: %w", err)
	}
	return nil
}

func (m scramMechanism) hmac(key []byte, text string) []byte {
	mac := hmac.New(m.newHash, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
