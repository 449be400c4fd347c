package api

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
)

// both is what a server knows that is followed, and follows.
func both(context.Context) (wire.Cluster, error) {
	at := time.Unix(1_700_000_000, 0).UTC()
	return wire.Cluster{Name: "east", Server: "one", Role: Secondary, Epoch: 3, Time: at, SetAside: 12,
		Partitions: []wire.ClusterPartition{{Partition: 0, Seq: 7, Chain: "ab", Relayed: 5, Owned: true, Owner: "one"}},
		Members:    []replication.Member{{Kind: "server", Name: "one", Role: replication.Primary, Epoch: 3, Version: "1.0.0", API: "http://one:8090", Owned: []int{0}}, {Kind: "runner", Name: "r", Pools: []string{"default"}}},
		Secondaries: []replication.Peer{{Name: replication.Name{Cluster: "west", Server: "two"}, Connected: true, Since: at, Heard: at,
			Positions: []replication.Position{{Seq: 7, Mark: "ab"}}, Members: []replication.Member{{Kind: "server", Name: "two", Role: replication.Secondary, Epoch: 3, Version: "1.0.0", API: "http://two:8090"}}, Stopped: []replication.Stop{{Code: "diverged", Reason: "parted"}}}},
		Following: &replication.Status{State: replication.Stopped, Since: at, AsOf: at, Lag: replication.Lag{Known: true, Entries: 2, Seconds: 0.5},
			Primary:    &replication.Identity{Cluster: "east", Role: replication.Primary, Heads: []replication.Position{}},
			Partitions: []replication.Following{{Seq: 7, Head: 9}}}}, nil
}

func TestTheLagIsWithEveryAnswer(t *testing.T) {
	lag := replication.Lag{}
	f := start(t, func(o *Options) { o.Lag = func() replication.Lag { return lag } })
	response, _ := f.do(http.MethodGet, wire.Prefix+"/environments")
	require.Equal(t, "unknown", response.Header.Get(HeaderLag))
	lag = replication.Lag{Known: true, Entries: 12, Seconds: 0.4}
	for _, address := range []string{"/environments", "/environments/none", "/self/ping"} {
		response, _ = f.do(http.MethodGet, wire.Prefix+address)
		require.Equal(t, "entries=12; seconds=0.4", response.Header.Get(HeaderLag), address)
	}
	response, _ = start(t, nil).do(http.MethodGet, wire.Prefix+"/environments")
	require.Empty(t, response.Header.Get(HeaderLag))
}

func TestWithoutACluster(t *testing.T) {
	response, _ := start(t, nil).do(http.MethodGet, wire.Prefix+"/cluster")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
}

// TestReplicationIsBesideTheAPI, which is read only and bounds how long an answer takes.
func TestReplicationIsBesideTheAPI(t *testing.T) {
	f := start(t, func(o *Options) {
		o.Replication = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
		o.Beside = map[string]http.Handler{"/beside": o.Replication}
	})
	beside, _ := f.do(http.MethodPost, "/beside")
	require.Equal(t, http.StatusTeapot, beside.StatusCode)
	response, _ := f.do(http.MethodPost, replication.Prefix+"stream")
	require.Equal(t, http.StatusTeapot, response.StatusCode)
	response, _ = f.do(http.MethodPost, wire.Prefix+"/cluster")
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
}
