package action

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// callTimeout bounds a call whose block does not.
const callTimeout = 30 * time.Second

// newCaller is the client of calls: the one of apps, but a call's own timeout is the only one.
func newCaller(of *http.Client) *http.Client {
	c := &http.Client{Transport: of.Transport}
	if t, ok := of.Transport.(*http.Transport); ok {
		t = t.Clone()
		t.ResponseHeaderTimeout = 0
		c.Transport = t
	}
	return c
}

// call makes the call once. Whether it is made again is for the block's retry to say.
func (e *Executor) call(ctx context.Context, r executor.Request, c *call) (executor.Outputs, error) {
	timeout := callTimeout
	if c.Timeout != "" {
		timeout, _ = time.ParseDuration(c.Timeout) // check has seen it
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := c.request(bounded, r)
	if err != nil {
		return nil, err
	}
	shown := fmt.Sprintf("%s %s://%s%s", request.Method, request.URL.Scheme, request.URL.Host, request.URL.Path)
	answer, err := c.client(e.caller).Do(request)
	if err != nil {
		return nil, callFault(ctx, r, shown, timeout, err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read from
	body, err := io.ReadAll(io.LimitReader(answer.Body, jsonLimit+1))
	if err != nil {
		return nil, callFault(ctx, r, shown, timeout, err)
	}
	r.Log("out", fmt.Sprintf("%s: %s", shown, answer.Status))
	if c.expects(answer.StatusCode) {
		return answered(r, answer.StatusCode, body), nil
	}
	for line := range strings.Lines(head(body, lineLimit)) {
		r.Log("err", strings.TrimRight(line, "\r\n"))
	}
	_, code := refusal(answer.StatusCode)
	return nil, fault.New(fault.Retry, code, "%s of %s: the answer is %s, which is not what the block expects", r.Mask(shown), r.Step, answer.Status)
}

// request carries a key by which the called service can tell a call that is made again from a new one: the attempt of a
// runner that was lost may have come through.
func (c *call) request(ctx context.Context, r executor.Request) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, c.method(), c.URL, strings.NewReader(c.Body))
	if err != nil {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "the call of %s can't be made: its url is none", r.Step)
	}
	request.Header.Set("User-Agent", "vivarium")
	if c.method() != http.MethodGet && c.method() != http.MethodHead {
		request.Header.Set("Idempotency-Key", url.PathEscape(r.Environment+"/"+r.Step+"/"+r.Operation))
	}
	for name, value := range c.Headers {
		request.Header.Set(name, value)
		if strings.EqualFold(name, "Host") {
			request.Host = value
		}
	}
	return request, nil
}

// client follows redirects of what only reads, and none to another server: the headers may hold what only the first is to
// see. A redirect that is expected is the answer.
func (c *call) client(of *http.Client) *http.Client {
	return &http.Client{Transport: of.Transport, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		first := via[0]
		reads := first.Method == http.MethodGet || first.Method == http.MethodHead
		same := next.URL.Host == first.URL.Host && next.URL.Scheme == first.URL.Scheme
		if !reads || !same || len(via) >= 10 || c.expects(next.Response.StatusCode) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// callFault says why there was no answer, without the address that url.Error repeats.
func callFault(ctx context.Context, r executor.Request, shown string, timeout time.Duration, err error) error {
	if ctx.Err() != nil {
		return fault.From(ctx.Err())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "%s of %s: there was no whole answer within %s", r.Mask(shown), r.Step, timeout)
	}
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return fault.Wrap(err, fault.Retry, fault.Unavailable, "%s of %s: %s", r.Mask(shown), r.Step, r.Mask(err.Error()))
}

// answered are the outputs of a call.
func answered(r executor.Request, status int, body []byte) executor.Outputs {
	text, _ := json.Marshal(head(body, stdoutLimit)) // a string always has a JSON form
	document := nothing
	if whole := bytes.TrimSpace(body); len(body) <= jsonLimit && bytes.ContainsAny(whole[:min(1, len(whole))], "{[") && json.Valid(whole) {
		document = bytes.Clone(whole)
	}
	outputs := executor.Outputs{
		"exit_code": {Value: nothing},
		"stdout":    {Value: nothing},
		"status":    {Value: json.RawMessage(fmt.Sprint(status))},
		"body":      {Value: text},
		"json":      {Value: document},
	}
	for name, o := range outputs {
		outputs[name] = executor.Value{Value: o.Value, Sensitive: name != "status" && r.Holds(o.Value)}
	}
	return outputs
}

// head is the beginning of a text of at most limit bytes.
func head(text []byte, limit int) string {
	return strings.ToValidUTF8(string(text[:min(len(text), limit)]), "")
}
