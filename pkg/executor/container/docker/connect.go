package docker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// client makes the client when it is first needed.
func (e *Executor) client() (*client.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.made != nil {
		return e.made, nil
	}
	made, err := e.connect()
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed,
			"the runner can't use Docker at %s: the address has to be unix:///PATH or tcp://HOST:PORT, and its certificates have to be readable", e.place.shown)
	}
	e.made = made
	return made, nil
}

func (e *Executor) connect() (*client.Client, error) {
	if scheme, _, _ := strings.Cut(e.options.Host, "://"); !slices.Contains([]string{"unix", "npipe", "tcp", "http", "https"}, scheme) {
		return nil, errors.New("an address of another kind")
	}
	var options []client.Opt
	if t := e.options.TLS; t != nil {
		config, err := t.config()
		if err != nil {
			return nil, err
		}
		options = append(options, client.WithHTTPClient(&http.Client{
			Transport: &http.Transport{TLSClientConfig: config}, CheckRedirect: client.CheckRedirect,
		}))
	}
	return client.New(append(options, client.WithHost(e.options.Host))...)
}

func (t *TLS) config() (*tls.Config, error) {
	certificate, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, InsecureSkipVerify: t.Insecure} //nolint:gosec // asked for
	if t.CAFile == "" {
		return config, nil
	}
	text, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, errors.New(t.CAFile + " holds no certificate in PEM")
	}
	return config, nil
}
