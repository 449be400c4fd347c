package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// requestTime bounds a read that is no stream, unless its context ends before.
const requestTime = 30 * time.Second

// most is how much of an answer is read, in bytes.
const most = 256 << 20

// every follows a list to its end.
func every[T any](ctx context.Context, a *API, path string) ([]T, error) {
	return everyOf[T](ctx, a, path, nil)
}

// everyOf is every, of a list that is selected.
func everyOf[T any](ctx context.Context, a *API, path string, selected url.Values) ([]T, error) {
	var all []T
	for cursor := ""; ; {
		q := page(cursor, 1000)
		maps.Copy(q, selected)
		list, err := get[wire.List[T]](ctx, a, path, q)
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if list.Next == "" {
			return all, nil
		}
		cursor = list.Next
	}
}

func get[T any](ctx context.Context, a *API, path string, query url.Values) (T, error) {
	return send[T](ctx, a, path, query, nil)
}

// patient is how often a server is asked that is waited for.
var patient = resilience.Policy{Attempts: 3, Backoff: 100 * time.Millisecond, MaxBackoff: 2 * time.Second}

// send is get of a question that has a body, or none.
func send[T any](ctx context.Context, a *API, path string, query url.Values, packed []byte) (v T, err error) {
	if a.patience <= 0 {
		return once[T](ctx, a, path, query, packed)
	}
	limit, cancel := context.WithTimeout(ctx, a.patience)
	defer cancel()
	var last error // and not that the patience has come to its end
	err = resilience.Do(limit, patient, func(limit context.Context) (err error) {
		if v, err = once[T](limit, a, path, query, packed); limit.Err() == nil {
			last = err
		}
		return err
	})
	if limit.Err() != nil && ctx.Err() == nil && last != nil {
		return v, last
	}
	return v, err
}

func once[T any](ctx context.Context, a *API, path string, query url.Values, packed []byte) (T, error) {
	var v T
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	response, err := a.post(ctx, path, query, nil, packed)
	if err != nil {
		return v, err
	}
	defer closeBody(response)
	text, err := body(response)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, fault.Wrap(err, fault.GiveUp, fault.Unreadable, "%s does not answer as a Vivarium server does", a.base+path)
	}
	return v, nil
}

// ask sends a request; an answer other than 200 is an error.
func (a *API) ask(ctx context.Context, path string, query url.Values, header http.Header) (*http.Response, error) {
	return a.post(ctx, path, query, header, nil)
}

// post is ask with a body, which is gzipped; nil is a GET.
func (a *API) post(ctx context.Context, path string, query url.Values, header http.Header, packed []byte) (*http.Response, error) {
	address := a.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	method, content := http.MethodGet, io.Reader(http.NoBody)
	if packed != nil {
		method, content = http.MethodPost, bytes.NewReader(packed)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "%q is not the address of a server; it looks like http://host:port", a.base)
	}
	if packed != nil {
		request.Header.Set("Content-Type", "application/gzip")
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := a.http.Do(request)
	if err != nil {
		return nil, unreachable(ctx, a.base, err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer closeBody(response)
	return nil, failure(response)
}

func unreachable(ctx context.Context, base string, err error) error {
	if ctx.Err() != nil {
		return fault.From(errors.Join(ctx.Err(), err))
	}
	if untrusted := (&tls.CertificateVerificationError{}); errors.As(err, &untrusted) {
		return fault.Wrap(err, fault.Reject, fault.Invalid, "the server at %s shows a certificate that can't be verified: say which authority has issued it (--ca-file), and see that it is for that address",
			strings.TrimSuffix(base, wire.Prefix))
	}
	return fault.Wrap(err, fault.Wait, fault.Unavailable, "the server at %s can't be reached; is it running?", strings.TrimSuffix(base, wire.Prefix))
}

func body(response *http.Response) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.Unavailable, "the server's answer broke off")
	}
	return text, nil
}

func closeBody(response *http.Response) { _ = response.Body.Close() } // nothing was written

// failure is the error that a problem tells.
func failure(response *http.Response) error {
	text, err := body(response)
	if err != nil {
		return err
	}
	var p wire.Problem
	if json.Unmarshal(text, &p) != nil || p.Code == "" {
		return fault.New(disposition(response.StatusCode), codeOf(response.StatusCode),
			"the server answered %s to %s", response.Status, response.Request.URL.Path)
	}
	return fault.New(disposition(p.Status), p.Code, "%s", p.Detail).With(p.Diagnostics...)
}

func codeOf(status int) fault.Code {
	switch {
	case status == http.StatusNotFound:
		return fault.NotFound
	case status < http.StatusInternalServerError:
		return fault.Invalid
	case status == http.StatusInternalServerError:
		return fault.Internal
	default:
		return fault.Unavailable
	}
}

func disposition(status int) fault.Disposition {
	switch {
	case status < http.StatusInternalServerError:
		return fault.Reject
	case status == http.StatusServiceUnavailable:
		return fault.Wait
	default:
		return fault.Retry
	}
}
