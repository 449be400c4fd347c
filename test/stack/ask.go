package stack

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// plain keeps no connections, so that nothing is left of it. It takes the certificate that Traefik makes itself.
var plain = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// request is one HTTP request; Host and Token may be "".
type request struct {
	Method, URL string
	// Host is what the request asks for, where that is not whom it is sent to.
	Host string
	// Token for Vault.
	Token string
	Body  any
}

// ask returns status and body of the answer, whatever the status is.
func ask(ctx context.Context, r request) (int, []byte, error) {
	var text bytes.Buffer
	if r.Body != nil {
		if err := json.NewEncoder(&text).Encode(r.Body); err != nil {
			return 0, nil, err
		}
	}
	out, err := http.NewRequestWithContext(ctx, r.Method, r.URL, &text)
	if err != nil {
		return 0, nil, err
	}
	out.Host = r.Host
	if r.Token != "" {
		out.Header.Set("X-Vault-Token", r.Token)
	}
	answer, err := plain.Do(out)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

// get reads JSON, with GET unless another method is given; a status of 400 and above is an error.
func get(ctx context.Context, r request, into any) error {
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	status, body, err := ask(ctx, r)
	if err != nil {
		return err
	}
	if status >= http.StatusBadRequest {
		return fmt.Errorf("%s %s answers %d: %s", r.Method, r.URL, status, bytes.TrimSpace(body))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}
