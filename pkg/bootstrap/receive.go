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
	"path/filepath"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Path is where a service that waits for its store is asked, and given it.
const Path = "/api/v1/handover"

// livePath is where servers say that they live; one that waits is as alive as any.
const livePath = "/api/v1/self/liveliness"

// Headers of what is sent: the checksum of the export, and the proof that who sends it has the cluster's key.
const (
	headerSum   = "Vivarium-SHA256"
	headerProof = "Vivarium-Proof"
	purpose     = "handover"
)

// maxExport bounds what is taken, in bytes.
const maxExport = 1 << 30

// Waiting is what a service says that waits.
type Waiting struct {
	Awaiting   bool   `json:"awaiting"`
	KeyID      string `json:"key_id"`
	Partitions int    `json:"partitions"`
}

// Handed is what a service says, and keeps, once it has its store.
type Handed struct {
	SHA256 string    `json:"sha256"`
	Time   time.Time `json:"time"`
	backup.Counts
}

// handedFile in the data folder says that the store was taken.
const handedFile = "handover.json"

// WasHanded tells whether a data folder's store has been handed over already.
func WasHanded(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, handedFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Receiver is a service that waits for its store: all that it answers before its server starts. It is safe for concurrent use;
// of two that send at once the second is told so.
type Receiver struct {
	// Key is the cluster's.
	Key *secret.Box
	// Dir is the data folder, and Store the store in it, which holds nothing, or what an earlier attempt has brought.
	Dir        string
	Store      store.Store
	Partitions int
	// Done is called once, after the answer was written.
	Done func()

	mu sync.Mutex
}

// ServeHTTP answers.
func (v *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == Path && r.Method == http.MethodGet:
		say(w, http.StatusOK, Waiting{Awaiting: true, KeyID: v.Key.ID(), Partitions: v.Partitions})
	case r.URL.Path == livePath && r.Method == http.MethodGet:
		say(w, http.StatusOK, map[string]string{"status": "UP"})
	case r.URL.Path == Path && r.Method == http.MethodPut:
		v.put(w, r)
	default:
		say(w, http.StatusServiceUnavailable, fault.New(fault.Wait, fault.Unavailable, "this service waits for its store to be handed over by `vivarium bootstrap`"))
	}
}

func (v *Receiver) put(w http.ResponseWriter, r *http.Request) {
	if !v.mu.TryLock() {
		say(w, http.StatusConflict, fault.New(fault.Retry, fault.Busy, "a store is being handed over already"))
		return
	}
	defer v.mu.Unlock()
	handed, err := v.take(r)
	if err != nil {
		status := http.StatusBadRequest
		if fault.Is(err, fault.Forbidden) {
			status = http.StatusForbidden
		}
		say(w, status, fault.From(err))
		return
	}
	say(w, http.StatusOK, handed)
	v.Done()
}

// take verifies what is sent before anything of it is written, and what was written once more.
func (v *Receiver) take(r *http.Request) (Handed, error) {
	sum := r.Header.Get(headerSum)
	proof, err := hex.DecodeString(r.Header.Get(headerProof))
	if err != nil || !hmac.Equal(proof, v.Key.MAC(purpose, []byte(sum))) {
		return Handed{}, fault.New(fault.Reject, fault.Forbidden, "the store is sent by somebody who does not have this cluster's key")
	}
	file, err := os.CreateTemp(v.Dir, "handover-*.part")
	if err != nil {
		return Handed{}, full(err)
	}
	defer func() { _ = errors.Join(file.Close(), os.Remove(file.Name())) }()
	if _, err := io.Copy(file, io.LimitReader(r.Body, maxExport)); err != nil {
		return Handed{}, full(err)
	}
	return v.keep(r.Context(), file, sum)
}

func full(err error) error {
	return fault.Wrap(err, fault.Retry, fault.Unavailable, "the service can't keep what it is sent: its disk may be full, or the connection was cut")
}

func (v *Receiver) keep(ctx context.Context, file io.ReadSeeker, sum string) (Handed, error) {
	read := func(against store.Journal) (backup.Summary, error) {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return backup.Summary{}, err
		}
		return backup.Verify(ctx, file, against, nil)
	}
	sent, err := read(nil)
	if err != nil {
		return Handed{}, err
	}
	if sent.SHA256 != sum {
		return Handed{}, fault.New(fault.Reject, backup.Damaged, "what arrived has another checksum than was announced: send it again")
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return Handed{}, err
	}
	if _, err := (backup.Import{Partitions: v.Partitions}).Read(ctx, file, v.Store); err != nil {
		return Handed{}, err
	}
	if _, err := read(v.Store); err != nil {
		return Handed{}, err
	}
	h := Handed{SHA256: sum, Time: time.Now().UTC(), Counts: sent.Counts}
	text, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return h, err
	}
	return h, secret.WriteFile(filepath.Join(v.Dir, handedFile), append(text, '\n'))
}

func say(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who does not listen is told nothing
}
