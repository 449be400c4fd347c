package keypair

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// pace is how often the files are looked at, at most: with a connection.
const pace = time.Second

// Pair is a certificate with its key, as the files have them now. It is safe for concurrent use.
type Pair struct {
	certificate, key string
	log              *slog.Logger
	now              func() time.Time

	mu     sync.Mutex
	shown  *tls.Certificate
	seen   [2]version // of what was read last, good or not
	looked time.Time
}

// version tells two contents of a file apart without reading them.
type version struct {
	changed time.Time
	size    int64
}

// Open reads both files, which are PEM; that of the certificate may have further ones behind it, up to the authority's. A nil log is silent. The error is
// fault.Invalid.
func Open(certificate, key string, log *slog.Logger) (*Pair, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &Pair{certificate: certificate, key: key, log: log, now: time.Now}
	seen, err := p.versions()
	if err == nil {
		err = p.read(seen)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "the certificate of the listener can't be used: %s and %s have to be there, in PEM, and belong together", certificate, key)
	}
	return p, nil
}

// Config shows the pair to whoever connects, as it is then.
func (p *Pair) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.current(), nil }}
}

func (p *Pair) current() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now.Sub(p.looked) < pace {
		return p.shown
	}
	p.looked = now
	seen, err := p.versions()
	if err == nil && seen == p.seen {
		return p.shown
	}
	if err == nil {
		err = p.read(seen)
	}
	if err != nil {
		p.log.Warn("the certificate of the listener can't be read anew; the one before is shown", "file", p.certificate, "error", err)
		return p.shown
	}
	p.log.Info("the certificate of the listener is another one now", "file", p.certificate, "until", p.shown.Leaf.NotAfter.UTC())
	return p.shown
}

func (p *Pair) read(seen [2]version) error {
	p.seen = seen
	pair, err := tls.LoadX509KeyPair(p.certificate, p.key)
	if err != nil {
		return err
	}
	p.shown = &pair
	return nil
}

func (p *Pair) versions() (v [2]version, err error) {
	for i, file := range []string{p.certificate, p.key} {
		info, failed := os.Stat(file)
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		v[i] = version{info.ModTime(), info.Size()}
	}
	return v, err
}
