package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// note is one of the notes.
type note struct {
	Number int       `json:"number"`
	Text   string    `json:"text"`
	Time   time.Time `json:"time"`
}

// database keeps notes in one file, whole at any moment: it is written beside its place and renamed.
type database struct {
	file     string
	password [sha256.Size]byte

	mu    sync.Mutex
	notes []note
}

func newDatabase(env func(string) string) (http.Handler, error) {
	values, err := required(env, "DATA_FILE", "DATABASE_PASSWORD_FILE")
	if err != nil {
		return nil, err
	}
	password, err := readPassword(values[1])
	if err != nil {
		return nil, err
	}
	d := &database{file: values[0], password: sha256.Sum256([]byte(password)), notes: []note{}}
	if err := d.load(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /notes", d.list)
	mux.HandleFunc("POST /notes", d.add)
	return d.guard(mux), nil
}

// readPassword reads the first line of a file.
func readPassword(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the database's password: %w", err)
	}
	password, _, _ := strings.Cut(string(text), "\n")
	if password == "" {
		return "", fmt.Errorf("the file %s of the database's password is empty", file)
	}
	return password, nil
}

func (d *database) load() error {
	text, err := os.ReadFile(d.file)
	if errors.Is(err, fs.ErrNotExist) {
		return d.save(d.notes) // finds out now whether it can be written
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &d.notes); err != nil {
		return fmt.Errorf("%s does not hold notes: %w", d.file, err)
	}
	return nil
}

func (d *database) save(notes []note) error {
	text, err := json.Marshal(notes)
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(d.file+".new", d.file)
}

// guard lets nobody without the password at the notes.
func (d *database) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := sha256.Sum256([]byte(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
		if r.URL.Path != "/health" && subtle.ConstantTimeCompare(shown[:], d.password[:]) != 1 {
			refuse(w, http.StatusUnauthorized, errors.New("the password is wrong"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (d *database) list(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	notes := d.notes
	d.mu.Unlock()
	answer(w, http.StatusOK, notes)
}

func (d *database) add(w http.ResponseWriter, r *http.Request) {
	var n note
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, most)).Decode(&n); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n.Number, n.Time = len(d.notes)+1, time.Now().UTC()
	// Lists that were given out stay as they are.
	notes := append(d.notes[:len(d.notes):len(d.notes)], n)
	if err := d.save(notes); err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	d.notes = notes
	answer(w, http.StatusCreated, n)
}
