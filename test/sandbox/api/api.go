// Package api is the few calls the sandbox itself makes to its API server: is it ready, are its nodes, create an
// object. It speaks plain JSON over HTTPS with the administrator's certificate, so that the sandbox needs no Kubernetes
// library; tests of products should use a real client.
package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// ErrExists says that an object of that name is there already.
var ErrExists = errors.New("already exists")

// answerLimit bounds what is read of one answer.
const answerLimit = 64 << 20

// Client talks to one API server.
type Client struct {
	server string
	http   *http.Client
}

// New reads ca.crt, admin.crt and admin.key from the PKI directory.
func New(server, pkiDir string) (*Client, error) {
	ca, err := os.ReadFile(filepath.Join(pkiDir, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("read certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	pair, err := tls.LoadX509KeyPair(filepath.Join(pkiDir, "admin.crt"), filepath.Join(pkiDir, "admin.key"))
	if err != nil {
		return nil, fmt.Errorf("read administrator's certificate: %w", err)
	}
	config := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	return &Client{
		server: server,
		// No Proxy: a proxy of the environment cannot reach the cluster's network.
		http: &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 10 * time.Second},
	}, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Ready is true when /readyz says ok; whatever else happens is "not yet".
func (c *Client) Ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	status, body, err := c.do(ctx, http.MethodGet, "/readyz", nil)
	return err == nil && status == http.StatusOK && string(body) == "ok"
}

// Get decodes the object at path into v. found is false on 404.
func (c *Client) Get(ctx context.Context, path string, v any) (found bool, err error) {
	status, body, err := c.do(ctx, http.MethodGet, path, nil)
	switch {
	case err != nil:
		return false, err
	case status == http.StatusNotFound:
		return false, nil
	case status != http.StatusOK:
		return false, refusal("read", path, status, body)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return false, fmt.Errorf("decode %q: %w", path, err)
	}
	return true, nil
}

// Create posts the object to the collection at path. An existing object is ErrExists.
func (c *Client) Create(ctx context.Context, path string, object any) error {
	content, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("encode object for %q: %w", path, err)
	}
	status, body, err := c.do(ctx, http.MethodPost, path, content)
	switch {
	case err != nil:
		return err
	case status == http.StatusConflict:
		return fmt.Errorf("create object in %q: %w", path, ErrExists)
	case status != http.StatusCreated:
		return refusal("create object in", path, status, body)
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path string, content []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(content))
	if err != nil {
		return 0, nil, fmt.Errorf("call %q: %w", path, err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil, fmt.Errorf("call API server: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // opened for reading
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return 0, nil, fmt.Errorf("read answer to %q: %w", path, err)
	}
	return response.StatusCode, body, nil
}

func refusal(verb, path string, status int, body []byte) error {
	var answer struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Message == "" {
		answer.Message = fmt.Sprintf("%.200q", body)
	}
	return fmt.Errorf("%s %q: API server answered %d: %s", verb, path, status, answer.Message)
}
