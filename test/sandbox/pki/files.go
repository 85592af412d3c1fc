package pki

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// kubeconfigFormat is JSON in YAML's flow style; all values are URLs, base64 or names from this package.
const kubeconfigFormat = `apiVersion: v1
kind: Config
clusters: [{name: sandbox, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: %s, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: sandbox, context: {cluster: sandbox, user: %s}}]
current-context: sandbox
`

// issueKubeconfig writes the user's key, certificate and a self-contained kubeconfig.
func (a *issuer) issueKubeconfig(u leaf, server string) error {
	name := u.file + ".kubeconfig"
	if exists(filepath.Join(a.dir, name)) {
		return nil
	}
	key, err := newKey(a.dir, u.file)
	if err != nil {
		return err
	}
	der, err := a.sign(u, key.Public())
	if err != nil {
		return err
	}
	certPEM, err := writePEM(a.dir, u.file+".crt", "CERTIFICATE", der)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode key %q: %w", u.file, err)
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	b64 := base64.StdEncoding.EncodeToString
	text := fmt.Sprintf(kubeconfigFormat, server, b64(a.caPEM), u.file, b64(certPEM), b64(keyPEM), u.file)
	return writeFile(a.dir, name, []byte(text))
}

func writePEM(dir, name, kind string, der []byte) ([]byte, error) {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	return text, writeFile(dir, name, text)
}

// writeFile replaces dir/name in one step, so that a killed run leaves no half-written key behind.
func writeFile(dir, name string, content []byte) error {
	temp, err := os.CreateTemp(dir, name+".*.tmp") // mode 0600
	if err != nil {
		return fmt.Errorf("write %q: %w", name, err)
	}
	_, err = temp.Write(content)
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return fmt.Errorf("write %q: %w", name, err)
	}
	return nil
}

func readPEM(dir, name, kind string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("read %q: %w", name, errNotPEM)
	}
	return block.Bytes, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
