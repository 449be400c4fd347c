package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
)

// authorities are two sides' certificates, each its own authority, and a file with the roots of both.
type authorities struct {
	certificates, keys [2]string
	both               string
}

func newAuthorities(t *testing.T) (a authorities) {
	t.Helper()
	a.both = filepath.Join(t.TempDir(), "both.pem")
	var roots []byte
	for i := range a.certificates {
		a.certificates[i], a.keys[i] = certify(t, t.TempDir(), int64(i+1))
		roots = append(roots, mustRead(t, a.certificates[i])...)
	}
	require.NoError(t, os.WriteFile(a.both, roots, 0o600))
	return a
}

// start is startSide for a side that has TLS, in a folder of its own or one that it had before; roots are what it checks the other one with.
func (a authorities) start(t *testing.T, number int, dir, templates, port, roots string, arguments ...string) *side {
	t.Helper()
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH"), "VIVARIUM_LISTEN_CERT_FILE": a.certificates[number],
		"VIVARIUM_LISTEN_KEY_FILE": a.keys[number], "VIVARIUM_LISTEN_CA_FILE": a.certificates[number]}
	if roots != "" {
		variables["VIVARIUM_REPLICATION_CA_FILE"] = roots
	}
	all := append([]string{"--primary-cluster-name", "east", "--listen", "127.0.0.1:" + port, "--stop-timeout", "5s"}, arguments...)
	return &side{serveWith(t, maps.Clone(variables), dir, templates, all...), variables}
}

// refusal waits until a secondary follows nobody, and is why by what its API and its command say.
func (s *side) refusal(t *testing.T) (reason string) {
	t.Helper()
	found, err := findServer(s.dir)
	require.NoError(t, err)
	client := trusting(found.APICA)
	defer client.CloseIdleConnections()
	var info wire.Info
	eventually(t, func() bool {
		response, err := client.Get(found.API + wire.Prefix + "/self/info")
		require.NoError(t, err)
		defer func() { require.NoError(t, response.Body.Close()) }()
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.NoError(t, json.NewDecoder(response.Body).Decode(&info))
		return info.Replication.State == replication.Refused
	})
	require.Contains(t, s.do(t, "cluster", "status"), "Reason   "+info.Replication.Reason)
	return info.Replication.Reason
}

// TestTwoSidesWithTLS: a side is followed, told to step down and given commands by whoever knows its authority, and by nobody else.
func TestTwoSidesWithTLS(t *testing.T) {
	a, templates, ports, second := newAuthorities(t), catalogue(t), []string{freePort(t), freePort(t)}, t.TempDir()
	at := func(n int) string { return "https://127.0.0.1:" + ports[n] }
	one := a.start(t, 0, t.TempDir(), templates, ports[0], a.both, "--primary", "--follow", at(1))
	one.do(t, "env", "create", "first", "--template", "hello", "--wait")
	for roots, follows := range map[string]string{"": at(0), a.certificates[1]: at(0), a.both: "http://127.0.0.1:" + ports[0]} {
		two := a.start(t, 1, second, templates, ports[1], roots, "--follow", follows)
		wants := "the server at " + at(0) + " shows a certificate that can't be verified: say which authority has issued it (replication.ca_file"
		if follows != at(0) {
			wants = follows + " has TLS: give its address with https://"
		}
		require.Contains(t, two.refusal(t), wants, "roots: %q", roots)
		code, text := two.try("cluster", "switchover")
		require.Equal(t, exitFailed, code, text)
		require.Contains(t, text, wants, "it says why the primary can't be asked")
		require.NotContains(t, text, "sixteen letters")
		two.end(t)
	}

	two := a.start(t, 1, second, templates, ports[1], a.both, "--follow", at(0))
	eventually(t, func() bool { return two.is(wire.Secondary, 1) })
	require.Contains(t, two.do(t, "cluster", "status"), "live, "+at(0))
	require.Contains(t, two.do(t, "env", "show", "first"), "Hello, first!")
	token := one.do(t, "cluster", "token")
	require.Contains(t, two.do(t, "cluster", "promote", "--token", token[:len(token)-1]), "nothing was lost")
	eventually(t, func() bool { return two.is(wire.Primary, 2) && one.is(wire.Secondary, 2) })
	require.Contains(t, two.do(t, "env", "create", "second", "--template", "hello", "--wait"), "Hello, second!")

	code, text := one.try("cluster", "switchover", "--server", at(0), "--ca-file", a.certificates[1])
	require.Equal(t, exitFailed, code, text)
	require.Contains(t, text, "--ca-file")
	require.Contains(t, one.do(t, "cluster", "switchover", "--server", at(0), "--ca-file", a.certificates[0]), "The other side follows.")
	require.True(t, one.is(wire.Primary, 3))
	eventually(t, func() bool { return two.is(wire.Secondary, 3) })
	require.Contains(t, one.do(t, "env", "show", "second"), "Hello, second!")
}
