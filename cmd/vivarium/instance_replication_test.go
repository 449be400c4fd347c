package main

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api"
	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// TestTwoSides: a primary and a secondary of their own data folders; what is done on one is read on the other.
func TestTwoSides(t *testing.T) {
	token := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more"}
	templates, first, second := catalogue(t), t.TempDir(), t.TempDir()
	p := serveWith(t, token, first, templates, "--primary", "--primary-cluster-name", "east")
	p.command(t, exitOK, "env", "create", "one", "--template", "hello", "--wait")
	found, err := findServer(first)
	require.NoError(t, err)
	s := serveWith(t, token, second, templates, "--primary-cluster-name", "east", "--follow", found.API)
	var seen wire.Cluster
	eventually(t, func() bool {
		seen = clusterOf(t, s)
		return seen.Following != nil && seen.Following.State == replication.Live && seen.Following.Lag.Entries == 0
	})
	require.Equal(t, "secondary", string(seen.Role))
	require.Contains(t, s.command(t, exitOK, "env", "show", "one"), "Hello, one!")
	require.Contains(t, s.command(t, exitOK, "cluster", "status"), "Follows  live, "+found.API)
	eventually(t, func() bool {
		all := clusterOf(t, p).Secondaries
		return len(all) == 1 && all[0].Connected && all[0].Lag.Known && all[0].Lag.Entries == 0
	})
	require.Contains(t, p.command(t, exitOK, "cluster", "status"), "connected")
	eventually(t, func() bool { // each side shows the members of both, and who owns what
		here, there := clusterOf(t, p), clusterOf(t, s)
		return len(here.Members) == 2 && here.Members[0].Name == infoOf(t, p).ServerID && here.Members[1].Kind == replication.RunnerMember &&
			len(here.Secondaries[0].Members) == 1 && here.Secondaries[0].Members[0].Name == infoOf(t, s).ServerID &&
			here.Partitions[3].Owner == here.Members[0].Name && there.Partitions[3].Owner == here.Members[0].Name && there.Following.Primary.Members != nil &&
			len(there.Following.Primary.Members) == 2 && len(there.Members) == 1 && there.Members[0].Role == replication.Secondary
	})
	require.Regexp(t, infoOf(t, p).ServerID+` +primary +primary +1`, s.command(t, exitOK, "cluster", "status"))

	other, err := findServer(second)
	require.NoError(t, err)
	response, err := http.Get(other.API + "/api/v1/environments/one")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Regexp(t, `^entries=\d+; seconds=\d+\.\d$`, response.Header.Get(api.HeaderLag))
	response, err = http.Get(found.API + "/api/v1/environments/one")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Empty(t, response.Header.Get(api.HeaderLag), "a primary is behind nobody")

	theirs, err := secret.LoadKey(filepath.Join(first, "key"))
	require.NoError(t, err)
	kept, err := secret.LoadKey(filepath.Join(second, keyFile))
	require.NoError(t, err)
	require.Equal(t, theirs, kept, "what the primary has sealed can be opened after a takeover")

	f := newFake(nil)
	eventually(t, func() bool { // the secondary listens for others first
		f = newFake(nil)
		f.run(context.Background(), []string{"env", "destroy", "one", "--yes", "--bus", other.Bus, "--server", other.API})
		return f.stderr.String() != ""
	})
	require.Contains(t, f.stderr.String(), `send it to the primary cluster "east" (`+found.API)
}

func clusterOf(t *testing.T, r *running) (c wire.Cluster) {
	require.NoError(t, json.Unmarshal([]byte(r.command(t, exitOK, "cluster", "status", "--output", "json")), &c))
	return c
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "it does not come to that")
	}
}

// TestCommandsAreHandedOverDuringAPromotion: a promotion waits for the answers to commands to end, so that these must not wait for it.
func TestCommandsAreHandedOverDuringAPromotion(t *testing.T) {
	s := &instance{dir: t.TempDir()}
	require.NoError(t, writeRole(s.dir, role{Epoch: 2, HandOver: true}))
	s.roles.Lock() // as promote does until the other side has stepped down
	defer s.roles.Unlock()

	done := make(chan struct{})
	go func() {
		defer close(done)
		s.allHandedOver()
	}()
	select {
	case <-done:
	case <-t.Context().Done():
	case <-time.After(30 * time.Second):
		t.Fatal("it waits for the promotion")
	}
	r, err := readRole(s.dir)
	require.NoError(t, err)
	require.False(t, r.HandOver)
}
