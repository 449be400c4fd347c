package main

import (
	"html/template"
	"net/http"
	"strings"
)

var sheet = template.Must(template.New("notes").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{{.Title}}</title>
<h1>{{.Title}}</h1>
{{- if .Notes}}
<ol>
{{- range .Notes}}
<li>{{.Text}} <time>{{.Time.Format "2006-01-02 15:04"}}</time></li>
{{- end}}
</ol>
{{- else}}
<p>No notes yet.</p>
{{- end}}
`))

// web shows all notes on one page.
type web struct{ api string }

func newWeb(env func(string) string) (http.Handler, error) {
	values, err := required(env, "API_URL")
	if err != nil {
		return nil, err
	}
	s := &web{api: strings.TrimSuffix(values[0], "/")}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("GET /{$}", s.show)
	return mux, nil
}

// health is that of the API, without which there is nothing to show.
func (s *web) health(w http.ResponseWriter, r *http.Request) {
	if err := call(r.Context(), http.MethodGet, s.api+"/api/health", "", nil, nil); err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *web) show(w http.ResponseWriter, r *http.Request) {
	var p page
	if err := call(r.Context(), http.MethodGet, s.api+"/api/notes", "", nil, &p); err != nil {
		refuse(w, http.StatusBadGateway, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = sheet.Execute(w, p) // who has gone away needs no answer
}
