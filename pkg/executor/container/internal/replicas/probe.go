package replicas

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/keypair"
)

// Prober makes the checks of a block that are made from outside. It is safe for concurrent use, and keeps no connection.
type Prober struct{ client *http.Client }

// NewProber makes one.
func NewProber() Prober { return Prober{client(nil)} }

func client(check *tls.Config) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil, TLSClientConfig: check},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// secure is for a check with TLS.
func secure(h container.HTTPCheck) *http.Client {
	if h.CA == "" {
		return client(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) //nolint:gosec // it is told nothing, and asked whether it lives
	}
	check, _ := keypair.Check(h.CA) // what is no certificate was refused with the block
	return client(check)
}

// Ping asks HOST:PORT once, by HTTP or TCP, for as long as one check may take; "" is the answer of what is healthy, else it says what
// was wrong.
func (p Prober) Ping(ctx context.Context, h container.Health, at string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.Timeout))
	defer cancel()
	if h.HTTP != nil {
		if h.HTTP.TLS {
			return Prober{secure(*h.HTTP)}.get(ctx, *h.HTTP, "https://"+at+h.HTTP.Path)
		}
		return p.get(ctx, *h.HTTP, "http://"+at+h.HTTP.Path)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
	if err != nil {
		return fmt.Sprintf("port %d accepts no connection", h.Port())
	}
	_ = conn.Close()
	return ""
}

func (p Prober) get(ctx context.Context, h container.HTTPCheck, url string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Sprintf("%q is no path that can be asked for", h.Path)
	}
	answer, err := p.client.Do(request)
	if err != nil {
		if untrusted := (&tls.CertificateVerificationError{}); errors.As(err, &untrusted) {
			return fmt.Sprintf("port %d shows a certificate that the check's ca does not verify", h.Port)
		}
		return fmt.Sprintf("%s on port %d does not answer", h.Path, h.Port)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= 200 && answer.StatusCode < 400 {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, ShownBytes))
	return fmt.Sprintf("%s on port %d answers %s %q", h.Path, h.Port, answer.Status, text)
}
