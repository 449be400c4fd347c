package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	servers.StopSharedConsul()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintf(os.Stderr, "goroutines are left after the tests: %v\n", err)
		code = 1
	}
	os.Exit(code)
}

// start runs a role as a server until the test ends.
func start(t *testing.T, name string, variables map[string]string) string {
	t.Helper()
	handler, err := role([]string{name}, func(v string) string { return variables[v] })
	require.NoError(t, err)
	s := httptest.NewServer(handler)
	t.Cleanup(func() {
		s.Close()
		outbound.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
	})
	return s.URL
}

// ask returns the status and the text of an answer.
func ask(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func passwordFile(t *testing.T, password string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(password), 0o600))
	return file
}

// configure writes settings as the environment does.
func configure(t *testing.T, title, longest string) (address, prefix string) {
	t.Helper()
	c, prefix := servers.SharedConsul(t), "environments/"+t.Name()+"/notes"
	for name, value := range map[string]string{"title": title, "longest": longest} {
		status, said := ask(t, http.MethodPut, "http://"+c.Address()+"/v1/kv/"+prefix+"/"+name, value)
		require.Equal(t, http.StatusOK, status, said)
	}
	return c.Address(), prefix
}

func TestTheRolesTogether(t *testing.T) {
	data := filepath.Join(t.TempDir(), "notes.json")
	password := passwordFile(t, "of-the-owner\n")
	consul, prefix := configure(t, "Our <notes>", "20")
	database := start(t, "database", map[string]string{"DATA_FILE": data, "DATABASE_PASSWORD_FILE": password})
	api := start(t, "api", map[string]string{"DATABASE_URL": database, "DATABASE_PASSWORD_FILE": password,
		"CONSUL_HTTP_ADDR": consul, "SETTINGS_PREFIX": prefix})
	web := start(t, "web", map[string]string{"API_URL": api})

	for _, url := range []string{database, api, web} {
		status, said := ask(t, http.MethodGet, url+"/health", "")
		require.Equal(t, http.StatusOK, status, said)
	}
	status, said := ask(t, http.MethodPost, api+"/api/notes", `{"text":"Buy <milk>"}`)
	require.Equal(t, http.StatusCreated, status, said)
	status, said = ask(t, http.MethodGet, api+"/api/notes", "")
	require.Equal(t, http.StatusOK, status, said)
	var p page
	require.NoError(t, json.Unmarshal([]byte(said), &p))
	require.Equal(t, "Our <notes>", p.Title)
	require.Len(t, p.Notes, 1)
	require.Equal(t, "Buy <milk>", p.Notes[0].Text)
	_, said = ask(t, http.MethodGet, web, "")
	require.Contains(t, said, "<h1>Our &lt;notes&gt;</h1>")
	require.Contains(t, said, "Buy &lt;milk&gt;")

	status, said = ask(t, http.MethodPost, api+"/api/notes", `{"text":"longer than Consul says"}`)
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, said, "1 to 20 bytes")
	configure(t, "Yours", "200")
	status, said = ask(t, http.MethodPost, api+"/api/notes", `{"text":"longer than Consul says"}`)
	require.Equal(t, http.StatusCreated, status, "settings are read at every request: %s", said)
	status, _ = ask(t, http.MethodPost, api+"/api/notes", `{"text":`)
	require.Equal(t, http.StatusBadRequest, status)

	again := start(t, "database", map[string]string{"DATA_FILE": data, "DATABASE_PASSWORD_FILE": password})
	var kept []note
	require.NoError(t, call(t.Context(), http.MethodGet, again+"/notes", "of-the-owner", nil, &kept))
	require.Len(t, kept, 2, "notes outlive the database's process")
}

func TestNothingWithoutThePassword(t *testing.T) {
	database := start(t, "database", map[string]string{"DATA_FILE": filepath.Join(t.TempDir(), "notes.json"),
		"DATABASE_PASSWORD_FILE": passwordFile(t, "right")})
	consul, prefix := configure(t, "Notes", "20")
	for _, path := range []string{"/notes", "/", "/health/../notes", "//notes"} {
		require.ErrorContains(t, call(t.Context(), http.MethodGet, database+path, "", nil, nil), "401", path)
		require.ErrorContains(t, call(t.Context(), http.MethodGet, database+path, "wrong", nil, nil), "401", path)
	}
	api := start(t, "api", map[string]string{"DATABASE_URL": database, "DATABASE_PASSWORD_FILE": passwordFile(t, "wrong"),
		"CONSUL_HTTP_ADDR": consul, "SETTINGS_PREFIX": prefix})
	web := start(t, "web", map[string]string{"API_URL": api})
	for _, url := range []string{api, web} {
		status, said := ask(t, http.MethodGet, url+"/health", "")
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Contains(t, said, "the password is wrong")
	}
}

func TestAnAPIWithoutSettingsIsNotHealthy(t *testing.T) {
	consul, _ := configure(t, "Notes", "20")
	api := start(t, "api", map[string]string{"DATABASE_URL": "http://127.0.0.1:1", "DATABASE_PASSWORD_FILE": passwordFile(t, "x"),
		"CONSUL_HTTP_ADDR": consul, "SETTINGS_PREFIX": "nowhere"})
	status, said := ask(t, http.MethodGet, api+"/health", "")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, said, "reading the settings")
}

func TestARoleThatCantStartSaysWhy(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "notes.json")
	require.NoError(t, os.WriteFile(broken, []byte("{"), 0o600))
	for _, c := range []struct {
		want      string
		args      []string
		variables map[string]string
	}{
		{"usage", nil, nil},
		{`"queue" is no role`, []string{"queue"}, nil},
		{"API_URL has to be set", []string{"web"}, nil},
		{"reading the database's password", []string{"database"}, map[string]string{"DATA_FILE": "x", "DATABASE_PASSWORD_FILE": "/nowhere"}},
		{"is empty", []string{"database"}, map[string]string{"DATA_FILE": "x", "DATABASE_PASSWORD_FILE": passwordFile(t, "\n")}},
		{"does not hold notes", []string{"database"}, map[string]string{"DATA_FILE": broken, "DATABASE_PASSWORD_FILE": passwordFile(t, "x")}},
		{"no such file", []string{"database"}, map[string]string{"DATA_FILE": "/nowhere/notes", "DATABASE_PASSWORD_FILE": passwordFile(t, "x")}},
		{"CONSUL_HTTP_ADDR", []string{"api"}, map[string]string{"DATABASE_URL": "x", "DATABASE_PASSWORD_FILE": passwordFile(t, "x")}},
	} {
		err := run(t.Context(), c.args, func(v string) string { return c.variables[v] })
		require.ErrorContains(t, err, c.want)
	}
}
