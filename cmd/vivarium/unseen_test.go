package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
)

// TestAnOldPrimaryThatDoesNotFindTheNewOne: both sides say so, and what to do; with that it becomes a secondary.
func TestAnOldPrimaryThatDoesNotFindTheNewOne(t *testing.T) {
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH"), "VIVARIUM_CLUSTER_LEASE": "0s"}
	templates, ports, first := catalogue(t), []string{freePort(t), freePort(t)}, t.TempDir()
	at := func(n int) string { return "http://127.0.0.1:" + ports[n] }
	start := func(arguments ...string) *side {
		all := append([]string{"--primary", "--primary-cluster-name", "east", "--listen", "127.0.0.1:" + ports[0], "--stop-timeout", "5s"}, arguments...)
		return &side{serveWith(t, variables, first, templates, all...), variables}
	}
	one := start()
	require.NotContains(t, one.do(t, "cluster", "status"), "Warning", "nobody could take over")
	two := startSide(t, variables, templates, ports[1], "--follow", at(0))
	eventually(t, func() bool { return two.is(wire.Secondary, 1) })
	eventually(t, func() bool { return strings.Contains(one.do(t, "cluster", "status"), "Warning") })
	require.Contains(t, one.do(t, "cluster", "status"), "it goes on acting, since cluster.lease is 0. Start it with the addresses of its secondaries: --follow")
	eventually(t, func() bool {
		return strings.Contains(one.log.String(), "would not find out that another one has taken over")
	})

	token := strings.TrimSpace(two.do(t, "cluster", "token"))
	two.do(t, "cluster", "promote", "--token", token, "--force")
	eventually(t, func() bool {
		return strings.Contains(two.do(t, "cluster", "status"), "Warning  the server at "+at(0)+" goes on as a primary under epoch 1, which is over")
	})
	require.Contains(t, two.log.String(), "it does not find this side")
	require.True(t, one.is(wire.Primary, 1))
	one.end(t)
	one = start("--follow", at(1))
	eventually(t, func() bool { return one.is(wire.Secondary, 2) })
	eventually(t, func() bool { return !strings.Contains(two.do(t, "cluster", "status"), "Warning") })
}
