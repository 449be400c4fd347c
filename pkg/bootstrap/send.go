package bootstrap

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// handTime bounds the sending of a store.
const handTime = 10 * time.Minute

// usual is a client that was given, or http.DefaultClient for nil.
func usual(by *http.Client) *http.Client {
	if by == nil {
		return http.DefaultClient
	}
	return by
}

// Ask tells whether the service at an address waits for its store. The client, as in all of these, is http.DefaultClient where it is nil. The error is fault.NotFound where a server answers that
// does not wait, and so has one, and fault.Unavailable where nothing answers.
func Ask(ctx context.Context, by *http.Client, address string) (Waiting, error) {
	var w Waiting
	err := call(ctx, by, address, http.MethodGet, nil, nil, &w)
	return w, err
}

// Send hands an export over, whose checksum is sum. The service at the address has to have the same key.
func Send(ctx context.Context, by *http.Client, address string, key *secret.Box, sum string, export io.Reader) (Handed, error) {
	var h Handed
	w, err := Ask(ctx, by, address)
	if err != nil {
		return h, err
	}
	if w.KeyID != key.ID() {
		return h, fault.New(fault.Reject, fault.Exists, "the service at %s has another cluster's key: it is somebody else's, and nothing was sent", address)
	}
	headers := map[string]string{headerSum: sum, headerProof: hex.EncodeToString(key.MAC(purpose, []byte(sum)))}
	if err := call(ctx, by, address, http.MethodPut, headers, io.NopCloser(export), &h); err != nil {
		return h, err
	}
	if h.SHA256 != sum {
		return h, fault.New(fault.GiveUp, fault.Conflict, "the service at %s says that it has taken another store than the one that was sent", address)
	}
	return h, nil
}

func call(ctx context.Context, by *http.Client, address, method string, headers map[string]string, body io.Reader, into any) error {
	ctx, cancel := context.WithTimeout(ctx, handTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(address, "/")+Path, body)
	if err != nil {
		return fault.Wrap(err, fault.Reject, fault.Invalid, "%q is no address of a service", address)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	request.Close = true
	answer, err := usual(by).Do(request)
	if err != nil {
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "the service at %s does not answer", address)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	switch {
	case err != nil:
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "the service at %s was cut off while it answered", address)
	case answer.StatusCode == http.StatusOK:
		return json.Unmarshal(text, into)
	case answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusMethodNotAllowed:
		return fault.New(fault.Reject, fault.NotFound, "the service at %s does not wait for a store", address)
	}
	var refused fault.Error
	if json.Unmarshal(text, &refused) == nil && refused.Code != "" {
		return &refused
	}
	return fault.New(fault.Retry, fault.Unavailable, "the service at %s answers %s", address, answer.Status)
}
