package action

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// connectTimeout bounds how long a server may take to begin its answer.
const connectTimeout = 30 * time.Second

// Target is the host that is called, or that the app has to be fetched from, as host:port where the url has a port.
func (e *Executor) Target(r executor.Request) string {
	var b block
	if json.Unmarshal(r.Inputs, &b) != nil {
		return ""
	}
	from := ""
	switch {
	case b.HTTP != nil:
		from = b.HTTP.URL
	case b.App == nil || b.App.check() != nil || e.cached(*b.App):
		return ""
	default:
		from = b.App.URL
	}
	u, err := url.Parse(from)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return strings.ToLower(u.Host)
}

// download asks once; whether it is asked again is for the step's retry policy.
func (e *Executor) download(ctx context.Context, r executor.Request, u *url.URL) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the url of the app of %s can't be asked for", r.Step)
	}
	answer, err := e.options.Client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fault.From(ctx.Err())
		}
		return nil, fault.Wrap(err, fault.Retry, fault.Unavailable, "the app of %s can't be fetched: %s does not answer", r.Step, u.Host)
	}
	if answer.StatusCode == http.StatusOK {
		return &download{ReadCloser: answer.Body, ctx: ctx, step: r.Step, host: u.Host}, nil
	}
	_ = answer.Body.Close() // the answer is given up
	disposition, code := refusal(answer.StatusCode)
	return nil, fault.New(disposition, code, "the app of %s can't be fetched: %s answers %s", r.Step, u.Host, answer.Status)
}

// refusal tells a server that is in trouble from one that does its work and has no such app.
func refusal(status int) (fault.Disposition, fault.Code) {
	switch {
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return fault.Retry, fault.Unavailable
	case status == http.StatusNotFound, status == http.StatusGone:
		return fault.GiveUp, fault.NotFound
	}
	return fault.GiveUp, fault.ExecutorFailed
}

// download is a body whose errors are the server's.
type download struct {
	io.ReadCloser
	ctx        context.Context
	step, host string
}

func (d *download) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if err == nil || err == io.EOF || d.ctx.Err() != nil {
		return n, err
	}
	return n, fault.Wrap(err, fault.Retry, fault.Unavailable, "the app of %s can't be fetched: %s broke off its answer", d.step, d.host)
}
