// Package pki makes the throw-away keys, certificates and kubeconfigs of one sandbox cluster. It knows what each
// component of Kubernetes expects in a certificate; it does not know which components run or where files are used.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// validity is long enough that kept state never expires while somebody still looks at it.
const validity = 10 * 365 * 24 * time.Hour

var errNotPEM = errors.New("no PEM block of the expected type")

// Node is a machine that gets a kubelet identity.
type Node struct {
	Name string
	IP   net.IP
}

// Request says what to make certificates for.
type Request struct {
	Server    string   // URL in kubeconfigs, for example https://10.231.0.2:6443
	ServerIPs []net.IP // addresses under which the API server is reached
	Nodes     []Node
	Now       time.Time
}

// Ensure writes into dir what is missing of: ca, apiserver, apiserver-kubelet-client, front-proxy-client and
// kubelet-server-<node> (.crt and .key), sa.key and sa.pub, and the kubeconfigs admin, controller-manager, scheduler,
// kube-proxy and kubelet-<node>. What exists is kept, so that a cluster with kept state can gain nodes. Every file is
// mode 0600 and appears whole or not at all; a key is written before the file that makes it count as issued.
func Ensure(dir string, r Request) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make PKI directory %q: %w", dir, err)
	}
	a, err := authority(dir, r.Now)
	if err != nil {
		return err
	}
	for _, l := range servingLeaves(r) {
		if err := a.issueFiles(l); err != nil {
			return err
		}
	}
	if err := serviceAccountKeys(dir); err != nil {
		return err
	}
	for _, u := range users(r) {
		if err := a.issueKubeconfig(u, r.Server); err != nil {
			return err
		}
	}
	return nil
}

// leaf is one certificate to issue; file is its name without extension.
type leaf struct {
	file, commonName, group string
	server                  bool
	names                   []string
	ips                     []net.IP
}

func servingLeaves(r Request) []leaf {
	leaves := []leaf{
		{
			file: "apiserver", commonName: "kube-apiserver", server: true, ips: r.ServerIPs,
			names: []string{
				"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
				"kubernetes.default.svc.cluster.local",
			},
		},
		{file: "apiserver-kubelet-client", commonName: "kube-apiserver-kubelet-client", group: "system:masters"},
		{file: "front-proxy-client", commonName: "front-proxy-client"},
	}
	for _, n := range r.Nodes {
		leaves = append(leaves, leaf{
			file: "kubelet-server-" + n.Name, commonName: "system:node:" + n.Name, group: "system:nodes",
			server: true, names: []string{n.Name, "localhost"}, ips: []net.IP{n.IP, net.IPv4(127, 0, 0, 1)},
		})
	}
	return leaves
}

// users are the identities that Kubernetes' default RBAC bindings know.
func users(r Request) []leaf {
	list := []leaf{
		{file: "admin", commonName: "sandbox-admin", group: "system:masters"},
		{file: "controller-manager", commonName: "system:kube-controller-manager"},
		{file: "scheduler", commonName: "system:kube-scheduler"},
		{file: "kube-proxy", commonName: "system:kube-proxy"},
	}
	for _, n := range r.Nodes {
		list = append(list, leaf{file: "kubelet-" + n.Name, commonName: "system:node:" + n.Name, group: "system:nodes"})
	}
	return list
}

// issuer is the cluster's certificate authority.
type issuer struct {
	dir   string
	cert  *x509.Certificate
	caPEM []byte
	key   crypto.Signer
	now   time.Time
}

func authority(dir string, now time.Time) (*issuer, error) {
	a := &issuer{dir: dir, now: now}
	if !exists(filepath.Join(dir, "ca.crt")) {
		if err := a.create(); err != nil {
			return nil, fmt.Errorf("make certificate authority in %q: %w", dir, err)
		}
	}
	if err := a.load(); err != nil {
		return nil, fmt.Errorf("load certificate authority from %q: %w", dir, err)
	}
	return a, nil
}

func (a *issuer) create() error {
	key, err := newKey(a.dir, "ca")
	if err != nil {
		return err
	}
	serial, err := serialNumber()
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "sandbox-ca"},
		NotBefore: a.now.Add(-time.Hour), NotAfter: a.now.Add(validity),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("sign certificate: %w", err)
	}
	_, err = writePEM(a.dir, "ca.crt", "CERTIFICATE", der)
	return err
}

func (a *issuer) load() error {
	der, err := readPEM(a.dir, "ca.crt", "CERTIFICATE")
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("parse ca.crt: %w", err)
	}
	a.caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyDER, err := readPEM(a.dir, "ca.key", "PRIVATE KEY")
	if err != nil {
		return err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return fmt.Errorf("parse ca.key: %w", err)
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("use ca.key: %T is not the kind of key made here", key)
	}
	a.key = signer
	return nil
}

// sign returns the certificate of l for the public key.
func (a *issuer) sign(l leaf, public crypto.PublicKey) ([]byte, error) {
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	subject := pkix.Name{CommonName: l.commonName}
	if l.group != "" {
		subject.Organization = []string{l.group}
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: subject,
		NotBefore: a.now.Add(-time.Hour), NotAfter: a.now.Add(validity),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if l.server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		template.DNSNames, template.IPAddresses = l.names, l.ips
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate %q: %w", l.file, err)
	}
	return der, nil
}

func (a *issuer) issueFiles(l leaf) error {
	if exists(filepath.Join(a.dir, l.file+".crt")) {
		return nil
	}
	key, err := newKey(a.dir, l.file)
	if err != nil {
		return err
	}
	der, err := a.sign(l, key.Public())
	if err != nil {
		return err
	}
	_, err = writePEM(a.dir, l.file+".crt", "CERTIFICATE", der)
	return err
}

func serviceAccountKeys(dir string) error {
	if exists(filepath.Join(dir, "sa.pub")) {
		return nil
	}
	key, err := newKey(dir, "sa")
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encode service account key: %w", err)
	}
	_, err = writePEM(dir, "sa.pub", "PUBLIC KEY", der)
	return err
}

func newKey(dir, name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key %q: %w", name, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key %q: %w", name, err)
	}
	_, err = writePEM(dir, name+".key", "PRIVATE KEY", der)
	return key, err
}

func serialNumber() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("draw serial number: %w", err)
	}
	return n, nil
}
