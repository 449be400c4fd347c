package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

func TestDriftIsFoundAndHealedByItself(t *testing.T) {
	consul := servers.SharedConsul(t)
	templates := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(templates, "kept"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(templates, "kept", "template.hcl"), []byte(kept), 0o600))
	r := serveWith(t, map[string]string{"CONSUL_HTTP_ADDR": consul.Address(), "VIVARIUM_DRIFT_INTERVAL": "1s"}, t.TempDir(), templates, "--primary")
	k := &keeper{r, "http://" + consul.Address() + "/v1/kv/kept/"}
	shows := func(want string) {
		t.Helper()
		require.Eventually(t, func() bool { return strings.Contains(k.command(t, exitOK, "env", "show", "alone"), want) }, time.Minute, 300*time.Millisecond, want)
	}
	k.command(t, exitOK, "env", "create", "alone", "--template", "kept", "--wait")
	k.change(t, http.MethodPut, "alone/base/title", "Graffiti")
	k.change(t, http.MethodDelete, "alone/extra/?recurse", "")
	shows("Notes -> Graffiti")
	shows("kept.consul_kv.extra[0] is gone")
	require.Contains(t, k.command(t, exitOK, "env", "list"), "2 drifted")
	require.Regexp(t, `alone +kept.consul_kv.extra\[0\] +gone`, k.command(t, exitOK, "env", "orphans"))
	k.command(t, exitOK, "env", "schedule", "alone", "--drift-policy", "heal")
	require.Eventually(t, func() bool { return k.value(t, "alone/base/title") == "Notes" && k.value(t, "alone/extra/a") == "1" }, time.Minute, 300*time.Millisecond)
	journal := k.command(t, exitOK, "env", "journal", "alone")
	require.Contains(t, journal, "environment.healing")
	require.NotContains(t, journal, "environment.checking", "no operation is needed to look")
	require.NotContains(t, journal, "nobody-may-see-this")
}

// value of a key, "" when it is not there.
func (k *keeper) value(t *testing.T, key string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, k.consul+key+"?raw", nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	if answer.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}
