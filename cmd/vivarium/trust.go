package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
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

// dialer connects to an address.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// trusting is a client of HTTP that checks with these roots; nil, which is the usual one, where the system's do.
func trusting(roots string) *http.Client { return trustingBy(roots, nil) }

// trustingBy connects with dial, or as usual where that is nil.
func trustingBy(roots string, dial dialer) *http.Client {
	if roots == "" && dial == nil {
		return nil
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust(roots), DialContext: dial, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute}
	if dial != nil {
		transport.Proxy = nil // it knows the way, and a proxy would not
	}
	return &http.Client{Transport: transport}
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
