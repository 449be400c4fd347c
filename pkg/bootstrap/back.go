package bootstrap

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// BackPath is where a service that was handed its store gives it back.
const BackPath = "/api/v1/handover/back"

const (
	headerTime  = "Vivarium-Time"
	purposeBack = "handover-back"
)

// skew is how far the clocks of both may be apart, and for how long who listens could ask the same again.
const skew = 5 * time.Minute

// Giver gives a service's store back to who proves that they have the cluster's key; the service goes on meanwhile. What is sealed in the
// store stays sealed. It is safe for concurrent use.
type Giver struct {
	Key    *secret.Box
	Store  store.Store
	Export backup.Export
	// Now is the time; time.Now unless given.
	Now func() time.Time
}

// ServeHTTP answers with an export. One that is cut off says so when it is read.
func (g *Giver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		say(w, http.StatusMethodNotAllowed, fault.New(fault.Reject, fault.Invalid, "the store is asked for with POST"))
		return
	}
	now := time.Now
	if g.Now != nil {
		now = g.Now
	}
	if err := g.proved(r.Header, now()); err != nil {
		say(w, http.StatusForbidden, fault.From(err))
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(now().Add(handTime)) // a store may be large; who can't have a deadline has none
	w.Header().Set("Content-Type", "application/octet-stream")
	export := g.Export
	export.Now = now().UTC()
	if _, err := export.Write(r.Context(), g.Store, w); err != nil {
		panic(http.ErrAbortHandler) // so that it is not taken for the whole
	}
}

func (g *Giver) proved(h http.Header, now time.Time) error {
	said := h.Get(headerTime)
	proof, err := hex.DecodeString(h.Get(headerProof))
	if err != nil || !hmac.Equal(proof, g.Key.MAC(purposeBack, []byte(said))) {
		return fault.New(fault.Reject, fault.Forbidden, "the store is asked for by somebody who does not have this cluster's key")
	}
	at, err := time.Parse(time.RFC3339, said)
	if err != nil || at.Before(now.Add(-skew)) || at.After(now.Add(skew)) {
		return fault.New(fault.Reject, fault.Forbidden, "the store is asked for with a proof of another time: set the clocks of both machines")
	}
	return nil
}

// TakeBack has the store of the service at an address in a file, as a whole or not at all. The error is fault.NotFound where the service
// was never handed one.
func TakeBack(ctx context.Context, by *http.Client, address string, key *secret.Box, file string) (sum backup.Summary, err error) {
	ctx, cancel := context.WithTimeout(ctx, handTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(address, "/")+BackPath, nil)
	if err != nil {
		return sum, fault.Wrap(err, fault.Reject, fault.Invalid, "%q is no address of a service", address)
	}
	said := time.Now().UTC().Format(time.RFC3339)
	request.Header.Set(headerTime, said)
	request.Header.Set(headerProof, hex.EncodeToString(key.MAC(purposeBack, []byte(said))))
	request.Close = true
	answer, err := usual(by).Do(request)
	if err != nil {
		return sum, fault.Wrap(err, fault.Retry, fault.Unavailable, "the service at %s does not answer", address)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return sum, refusal(answer, address)
	}
	return received(ctx, answer.Body, file)
}

// refusal is what an answer says that is no success.
func refusal(answer *http.Response, address string) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20)) // what can't be read says nothing
	var refused fault.Error
	if json.Unmarshal(text, &refused) == nil && refused.Code != "" {
		return &refused
	}
	if answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusMethodNotAllowed {
		return fault.New(fault.Reject, fault.NotFound, "the service at %s has no store that it would give back", address)
	}
	return fault.New(fault.Retry, fault.Unavailable, "the service at %s answers %s", address, answer.Status)
}

func received(ctx context.Context, from io.Reader, file string) (sum backup.Summary, err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return sum, fault.Wrap(err, fault.GiveUp, fault.Unavailable, "what the service gives back can't be written: make room, and run this again")
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(file))
		}
	}()
	if _, err := io.Copy(f, io.LimitReader(from, maxExport)); err != nil {
		return sum, fault.Wrap(err, fault.Retry, fault.Unavailable, "the service was cut off while it gave its store back, or there is no room for it: run this again")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return sum, err
	}
	return backup.Verify(ctx, f, nil, nil)
}
