package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// api takes and lists notes; it keeps nothing itself, so there may be several.
type api struct {
	database string
	password string
	consul   consul
}

func newAPI(env func(string) string) (http.Handler, error) {
	values, err := required(env, "DATABASE_URL", "DATABASE_PASSWORD_FILE")
	if err != nil {
		return nil, err
	}
	a := &api{database: strings.TrimSuffix(values[0], "/")}
	if a.password, err = readPassword(values[1]); err != nil {
		return nil, err
	}
	if a.consul, err = newConsul(env); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", a.health)
	mux.HandleFunc("GET /api/health", a.health)
	mux.HandleFunc("GET /api/notes", a.list)
	mux.HandleFunc("POST /api/notes", a.add)
	return mux, nil
}

// health is good when the database takes the password and the settings are there.
func (a *api) health(w http.ResponseWriter, r *http.Request) {
	s, err := a.consul.read(r.Context())
	var notes []note
	if err == nil {
		err = call(r.Context(), http.MethodGet, a.database+"/notes", a.password, nil, &notes)
	}
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{"status": "ok", "settings": s, "notes": len(notes)})
}

// page is what GET /api/notes answers.
type page struct {
	Title string `json:"title"`
	Notes []note `json:"notes"`
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	s, err := a.consul.read(r.Context())
	p := page{Title: s.Title}
	if err == nil {
		err = call(r.Context(), http.MethodGet, a.database+"/notes", a.password, nil, &p.Notes)
	}
	if err != nil {
		refuse(w, http.StatusBadGateway, err)
		return
	}
	answer(w, http.StatusOK, p)
}

func (a *api) add(w http.ResponseWriter, r *http.Request) {
	var n note
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, most)).Decode(&n); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf(`want {"text": "..."}: %w`, err))
		return
	}
	s, err := a.consul.read(r.Context())
	switch {
	case err != nil:
		refuse(w, http.StatusBadGateway, err)
		return
	case n.Text == "" || len(n.Text) > s.Longest:
		refuse(w, http.StatusBadRequest, fmt.Errorf("a note has 1 to %d bytes, this one %d", s.Longest, len(n.Text)))
		return
	}
	if err := call(r.Context(), http.MethodPost, a.database+"/notes", a.password, note{Text: n.Text}, &n); err != nil {
		refuse(w, http.StatusBadGateway, err)
		return
	}
	answer(w, http.StatusCreated, n)
}
