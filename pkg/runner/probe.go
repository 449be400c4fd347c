package runner

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/keypair"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

const (
	defaultProbeInterval = time.Second
	shortProbeInterval   = 10 * time.Millisecond // no endpoint is asked more often
	defaultProbeTimeout  = time.Minute
	oneProbe             = 10 * time.Second // a single one does not hang longer
	probeBody            = 64 << 10         // read, so that the server sees its answer taken
)

// validate asks the task's endpoint until it answers as expected or its time is over.
func (w *worker) validate(ctx context.Context) error {
	p, err := w.runner.newProbe(w.task.Endpoint)
	if err != nil {
		return err
	}
	window, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	end, _ := window.Deadline()
	var seen string
	for more := true; more; more = resilience.Pause(window, p.interval) == nil {
		whole := time.Until(end) > oneProbe
		err := p.ask(window)
		if err == nil {
			return nil
		}
		// A probe that only the end of the window cut off says less than the one before it.
		if now := reason(err); now != seen && (whole || seen == "" || !late(err)) {
			w.lines.add("out", fmt.Sprintf("%s: %s", p.shown, now))
			seen = now
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fault.New(fault.GiveUp, fault.ValidationFailed, "%s did not answer as expected within %s; last: %s", p.shown, p.timeout, seen)
}

type probe struct {
	url               *url.URL
	shown             string // the address without credentials
	host              string // asked for; "" for the address's own
	status            int
	interval, timeout time.Duration
	dial              func(ctx context.Context, network, address string) (net.Conn, error)
	// prober asks what is neither HTTP nor TCP; mark is that of its last answer.
	prober   executor.Prober
	endpoint *event.Endpoint
	mark     uint64
}

func (r *Runner) newProbe(e *event.Endpoint) (*probe, error) {
	if e == nil {
		return nil, fault.New(fault.Reject, fault.Invalid, "there is no status endpoint to validate")
	}
	address, err := url.Parse(e.URL)
	if err != nil || address.Host == "" || !r.asks(e) {
		return nil, fault.New(fault.Reject, fault.Invalid, "a status endpoint is http://, https:// or tcp:// with a host, or one that an executor of the runner can ask")
	}
	// A query and a user's password are for the endpoint's eyes only.
	shown := (&url.URL{Scheme: address.Scheme, Host: address.Host, Path: address.Path}).String()
	if e.Host != "" {
		shown = e.Host + " at " + shown
	}
	if address.Scheme == "tcp" && address.Port() == "" {
		return nil, fault.New(fault.Reject, fault.Invalid, "the status endpoint %s has no port", shown)
	}
	p := &probe{url: address, shown: shown, host: e.Host, status: e.Status, endpoint: e, prober: r.probers[address.Scheme], interval: e.Interval, timeout: e.Timeout, dial: r.o.Dial}
	if p.interval <= 0 {
		p.interval = defaultProbeInterval
	}
	p.interval = max(p.interval, shortProbeInterval)
	if p.timeout <= 0 {
		p.timeout = defaultProbeTimeout
	}
	return p, nil
}

func probed(scheme string) bool { return scheme == "http" || scheme == "https" || scheme == "tcp" }

// probes says to the servers which status endpoints the runner can ask.
func (r *Runner) probes() []string {
	return append([]string{"status"}, slices.Sorted(maps.Keys(r.probers))...)
}

// asks tells whether the runner can ask an endpoint.
func (r *Runner) asks(e *event.Endpoint) bool {
	scheme := schemeOf(e)
	return probed(scheme) || r.probers[scheme] != nil
}

func schemeOf(e *event.Endpoint) string {
	scheme, _, _ := strings.Cut(e.URL, "://")
	return strings.ToLower(scheme)
}

// ask is one probe; the error is what it saw.
func (p *probe) ask(ctx context.Context) error {
	if p.prober != nil {
		return p.await(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, oneProbe)
	defer cancel()
	if p.url.Scheme != "tcp" {
		return p.get(ctx)
	}
	conn, err := p.dial(ctx, "tcp", p.url.Host)
	if err != nil {
		return err
	}
	return conn.Close()
}

// await is a probe that waits for something new.
func (p *probe) await(ctx context.Context) error {
	h, err := p.prober.Await(ctx, *p.endpoint, p.mark)
	if err != nil {
		p.mark = 0
		return err
	}
	p.mark = h.Mark
	if !h.Healthy {
		return errors.New(h.Detail)
	}
	return nil
}

// get keeps no connection, and follows redirects unless a redirect is what is expected.
func (p *probe) get(ctx context.Context) error {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: p.dial}
	if p.endpoint.CA != "" {
		transport.TLSClientConfig, _ = keypair.Check(p.endpoint.CA) // what is no certificate was refused with the template
	}
	if p.host != "" {
		// The gateway chooses its certificate by the name, which has to be that of the host as well.
		if transport.TLSClientConfig == nil {
			transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		transport.TLSClientConfig.ServerName = (&url.URL{Host: p.host}).Hostname()
	}
	client := &http.Client{Transport: transport}
	if p.status >= 300 && p.status < 400 {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url.String(), nil)
	if err != nil {
		return err
	}
	request.Host = p.host
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, probeBody))
	switch got := response.StatusCode; {
	case p.status != 0 && got == p.status, p.status == 0 && got >= 200 && got < 300:
		return nil
	case p.status != 0:
		return fmt.Errorf("status %d, expected %d", got, p.status)
	default:
		return fmt.Errorf("status %d, expected 200 to 299", got)
	}
}

func late(err error) bool {
	var e net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &e) && e.Timeout()
}

// reason leaves out the address, which url.Error repeats and which may hold what nobody is to see.
func reason(err error) string {
	var e *url.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	return err.Error()
}
