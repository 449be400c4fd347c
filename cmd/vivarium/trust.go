package main

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/keypair"
)

// readRoots reads certificates of whose they are; "" is none.
func readRoots(file, whose string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usage("the roots for the certificate of %s can't be read: %w", whose, err)
	}
	if _, ok := keypair.Check(string(text)); !ok {
		return "", usage("%s has no certificate in PEM, with which that of %s could be checked", file, whose)
	}
	return string(text), nil
}

// trust is nil where the system's roots do.
func trust(roots string) *tls.Config {
	if roots == "" {
		return nil
	}
	check, _ := keypair.Check(roots) // readRoots, and who has issued them, have seen to it
	return check
}

// trusting is a client of HTTP that checks with these roots; nil, which is the usual one, where the system's do.
func trusting(roots string) *http.Client {
	if roots == "" {
		return nil
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust(roots),
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute}}
}

// listenerTLS is what the API shows of itself, nil where it has no certificate.
func listenerTLS(s config.Settings, log *slog.Logger) (*tls.Config, error) {
	switch {
	case s.ListenCertFile == "" && s.ListenKeyFile == "":
		return nil, nil //nolint:nilnil // it listens without
	case s.ListenCertFile == "" || s.ListenKeyFile == "":
		return nil, usage("listen_cert_file and listen_key_file are a pair: give both, or none")
	}
	p, err := keypair.Open(s.ListenCertFile, s.ListenKeyFile, log)
	if err != nil {
		return nil, err
	}
	return p.Config(), nil
}
