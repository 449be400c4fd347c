package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// TestAnOldPrimaryComesBackAsSecondary: what it alone had is shown, and counts for nothing; then it is as the other side is.
func TestAnOldPrimaryComesBackAsSecondary(t *testing.T) {
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH"),
		"VIVARIUM_CLUSTER_LEASE": "0s"} // it goes on alone
	templates, ports := catalogue(t), []string{freePort(t), freePort(t)}
	one := startSide(t, variables, templates, ports[0], "--primary", "--follow", "http://127.0.0.1:"+ports[1])
	one.do(t, "env", "create", "first", "--template", "hello", "--wait")
	between := newCable(t, "127.0.0.1:"+ports[0])
	two := startSide(t, variables, templates, ports[1], "--follow", "http://"+between.listener.Addr().String())
	eventually(t, func() bool { return two.is(wire.Secondary, 1) })
	require.Contains(t, one.do(t, "cluster", "divergence"), "Nothing is set aside")
	token := strings.TrimSpace(one.do(t, "cluster", "token"))
	between.sever()
	one.do(t, "env", "create", "lost", "--template", "hello", "--wait")
	one.do(t, "env", "destroy", "first", "--yes", "--wait")
	require.Contains(t, two.do(t, "cluster", "promote", "--token", token, "--force"), "epoch 2")
	eventually(t, func() bool { return one.is(wire.Secondary, 2) && two.is(wire.Primary, 2) })

	require.NoFileExists(t, filepath.Join(one.dir, keyFile), "its own key is the cluster's")

	shown := one.do(t, "cluster", "divergence")
	require.Contains(t, shown, "lost  not there → deployed")
	require.Contains(t, shown, "first  deployed → destroyed")
	var all []store.Aside
	require.NoError(t, json.Unmarshal([]byte(one.do(t, "cluster", "divergence", "-o", "json")), &all))
	require.NotEmpty(t, all)
	said := ""
	for _, a := range all {
		said += one.do(t, "cluster", "divergence", a.ID)
		var whole asideShown
		require.NoError(t, json.Unmarshal([]byte(one.do(t, "cluster", "divergence", a.ID, "-o", "json")), &whole))
		require.Len(t, whole.Journal, int(a.Last-a.First+1)) //nolint:gosec // few
	}
	require.Contains(t, said, "created from hello@")
	require.Contains(t, one.do(t, "cluster", "status"), "Aside ")
	code, _ := one.try("cluster", "divergence", "none")
	require.Equal(t, exitUsage, code)

	code, _ = one.try("env", "show", "lost")
	require.Equal(t, exitFailed, code, "it never was")
	require.Contains(t, one.do(t, "env", "show", "first"), "deployed")
	require.Contains(t, two.do(t, "env", "create", "lost", "--template", "hello", "--wait"), "Hello, lost!")
	eventually(t, func() bool { return one.is(wire.Secondary, 2) })
	require.Contains(t, one.do(t, "env", "show", "lost"), "Hello, lost!")
	require.Contains(t, line(t, exitUsage, "store", "aside", all[0].ID, "lost", "none", "--data-dir", one.dir), "no state of none in lost")
}

// TestAStateThatIsKeptAside is opened with the cluster's key.
func TestAStateThatIsKeptAside(t *testing.T) {
	dir := t.TempDir()
	key, err := secret.LoadKey(filepath.Join(dir, "key"))
	require.NoError(t, err)
	box, err := secret.NewBox(key)
	require.NoError(t, err)
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "store.db")})
	require.NoError(t, err)
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write([]byte(`{"serial":7}`))
	require.NoError(t, zip.Close())
	data := []byte(box.SealFor(packed.Bytes(), "state", "lost", "a"))
	e := store.Entry{Seq: 1, Environment: "lost", Type: "command.rejected", Time: time.Now(), Epoch: 1, Data: json.RawMessage(`{}`)}
	require.NoError(t, s.Append(t.Context(), store.Batch{Epoch: 1, Entries: []store.Entry{e}, States: []store.StepState{{Environment: "lost", Step: "a", Hash: "h", Data: data}}}))
	require.NoError(t, s.CutBack(t.Context(), store.Cut{Epoch: 2, Aside: store.Aside{ID: "0-1-e1", First: 1, Last: 1, Time: time.Now(),
		Environments: []store.AsideEnvironment{{Name: "lost", Entries: 1}}}}))
	require.NoError(t, s.Close())
	require.Equal(t, `{"serial":7}`, line(t, exitOK, "store", "aside", "0-1-e1", "lost", "a", "--data-dir", dir))
	require.Contains(t, line(t, exitOK, "store", "export", filepath.Join(t.TempDir(), "file"), "--data-dir", dir), "1 entry set aside earlier")
	require.Contains(t, line(t, exitUsage, "store", "aside", "0-1-e7", "lost", "a", "--data-dir", dir), "nothing is set aside")
}
