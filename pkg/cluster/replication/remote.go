package replication

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Finder says where the primary's servers are: addresses of their APIs, such as https://10.1.0.4:8090, the most likely first.
type Finder interface {
	Find(ctx context.Context) ([]string, error)
}

// Static finds what it is: where there is no Consul, and in tests.
type Static []string

// Find implements Finder.
func (s Static) Find(context.Context) ([]string, error) { return s, nil }

// askTime bounds one question beside the stream.
const askTime = 20 * time.Second

// remote is a source as a secondary asks it.
type remote struct {
	address string
	token   string
	client  *http.Client
}

// NewRemote asks one server, whether it is primary or not.
func NewRemote(address, token string, client *http.Client) *Remote {
	if client == nil {
		client = http.DefaultClient
	}
	return &Remote{remote{strings.TrimSuffix(address, "/"), token, client}}
}

// Remote is another server, of either role.
type Remote struct{ remote }

// Identity asks who it is. What does not know the token is an Altered error.
func (r *remote) Identity(ctx context.Context) (id Identity, err error) {
	return id, r.ask(ctx, http.MethodGet, pathSelf, nil, &id)
}

// Mark asks for the mark and the epoch of an entry, which are empty where there is none.
func (r *remote) Mark(ctx context.Context, partition int, seq uint64) (p Placed, err error) {
	return p, r.ask(ctx, http.MethodGet, pathMark+"?"+encode("partition", partition, "seq", seq), nil, &p)
}

// Order asks for one of the other side's SourceOptions.Orders, and gives it a minute.
func (r *Remote) Order(ctx context.Context, name string, data, answer any) error {
	return r.askWithin(ctx, time.Minute, http.MethodPost, pathOrders+name, data, answer)
}

// request makes a signed one; nonce is what the answer is signed with.
func (r *remote) request(ctx context.Context, method, path string, in any) (req *http.Request, nonce string, err error) {
	var body []byte
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return nil, "", err
		}
	}
	req, err = http.NewRequestWithContext(ctx, method, r.address+Prefix+path, bytes.NewReader(body))
	if err != nil {
		return nil, "", fault.Wrap(err, fault.GiveUp, fault.Invalid, "%q is no address of a primary", r.address)
	}
	header, nonce := authorization(r.token, method, req.URL.RequestURI(), body)
	req.Header.Set("Authorization", header)
	req.Header.Set("Content-Type", "application/json")
	return req, nonce, nil
}

// ask sends a question and reads the answer into out.
func (r *remote) ask(ctx context.Context, method, path string, in, out any) error {
	return r.askWithin(ctx, askTime, method, path, in, out)
}

func (r *remote) askWithin(ctx context.Context, within time.Duration, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	req, nonce, err := r.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return r.away(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return r.away(err)
	}
	if err := r.refused(res, nonce, body); err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fault.Wrap(err, fault.Retry, fault.Unreadable, "the answer of %s can't be read", r.address)
	}
	return nil
}

// away is why there was no answer; what only a person can mend says how.
func (r *remote) away(err error) error {
	if untrusted := (&tls.CertificateVerificationError{}); errors.As(err, &untrusted) {
		return fault.Wrap(err, fault.GiveUp, fault.Invalid,
			"the server at %s shows a certificate that can't be verified: say which authority has issued it (replication.ca_file; for a command --ca-file), and see that it is for that address", r.address)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return fault.Wrap(err, fault.GiveUp, fault.Invalid, "the server at %s has no TLS: give its address with http://, or the server a certificate (listen_cert_file)", r.address)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the address may be long, and is said anyhow
	}
	return fault.Wrap(err, fault.Retry, fault.Unavailable, "the primary at %s does not answer", r.address)
}

// wantsTLS is what Go's server answers, with status 400, to who speaks without.
const wantsTLS = "Client sent an HTTP request to an HTTPS server."

// refused is nil for an answer that is signed and says that all is well.
func (r *remote) refused(res *http.Response, nonce string, body []byte) error {
	if !equal(res.Header.Get(headerSignature), answerSignature(r.token, nonce, res.StatusCode, body)) {
		switch {
		case res.StatusCode == http.StatusUnauthorized:
			return fault.New(fault.GiveUp, fault.Conflict, "%s has another replication token: set the same replication_token on both sides", r.address)
		case res.StatusCode == http.StatusBadRequest && strings.TrimSpace(string(body)) == wantsTLS:
			return fault.New(fault.GiveUp, fault.Invalid, "the server at %s has TLS: give its address with https://", r.address)
		case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed:
			return fault.New(fault.Wait, fault.Unavailable, "%s serves no replication: it has no replication_token, or is another program", r.address)
		}
		return fault.New(fault.Retry, Altered, "what %s answered was altered on the way, or said by who does not know the token", r.address)
	}
	if res.StatusCode == http.StatusOK {
		return nil
	}
	var f fault.Error
	if json.Unmarshal(body, &f) != nil || f.Code == "" {
		return fault.New(fault.Retry, fault.Unavailable, "%s answered with status %d", r.address, res.StatusCode)
	}
	return &f
}

// open begins a stream; the caller closes what it reads.
func (r *remote) open(ctx context.Context, in Request) (*lineReader, io.Closer, error) {
	req, nonce, err := r.request(ctx, http.MethodPost, pathStream, in)
	if err != nil {
		return nil, nil, err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return nil, nil, r.away(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/x-ndjson" {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		_ = res.Body.Close()
		if err := r.refused(res, nonce, body); err != nil {
			return nil, nil, err
		}
		return nil, nil, fault.New(fault.Retry, fault.Unreadable, "%s answered something else than a stream", r.address)
	}
	return &lineReader{in: bufio.NewReaderSize(res.Body, 256<<10), token: r.token, nonce: nonce}, res.Body, nil
}
