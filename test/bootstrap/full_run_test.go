package bootstrap

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bootstrap/cluster"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/helm"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// stepwise makes steps of environment zero without an engine: what each puts out is what the next one gets.
type stepwise struct {
	*full
	executors map[string]executor.Executor
	outputs   map[string]json.RawMessage
	last      map[string]executor.Request
}

// TestConsulAndVaultOfTheProfileFullRun: three nodes of each, by the charts of the profile full and by the rights of the service's runner, find and check each other with TLS.
// What they are run with is this project's own build of both, and not the images that the profile names.
func TestConsulAndVaultOfTheProfileFullRun(t *testing.T) {
	if !asked("kubernetes") {
		t.Skip("VIVARIUM_BOOTSTRAP=kubernetes (make test-bootstrap) starts a cluster")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	c := clustered(t, ctx, 6)
	for i := range 6 { // what is not root writes there, too
		dir := filepath.Join(c.Dir, fmt.Sprint("volume", i))
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.Chmod(dir, 0o777))
	}
	c.kubectl(t, ctx, "create", "namespace", namespace)
	way := c.way(t)
	defer way.Close()
	r := c.stepwise(t, ctx, way)

	r.raise(t, ctx, "meta.consul_cluster.consul")
	c.answers(t, ctx, r, way)

	c.kubectl(t, ctx, "-n", namespace, "delete", "pods", "vivarium-consul-1", "vivarium-vault-2", "--wait=true")
	r.again(t, ctx, "meta.vault_cluster.vault") // with the keys: the new pod is sealed
	c.answers(t, ctx, r, way)
}

func (c *inCluster) stepwise(t *testing.T, ctx context.Context, way *cluster.Cluster) *stepwise {
	t.Helper()
	r := &stepwise{executors: map[string]executor.Executor{}, outputs: map[string]json.RawMessage{}, last: map[string]executor.Request{}}
	var shown map[string]any
	require.NoError(t, json.Unmarshal([]byte(images[len("images="):]), &shown))
	r.full = c.full(t, ctx, map[string]any{
		"images": shown, "vaults": map[string]any{"nodes": 3, "volume": "1Gi"},
		"sizes": map[string]any{"brokers": 3, "consuls": 3, "servers": 2, "runners": 2, "broker_volume": "1Gi", "consul_volume": "1Gi", "store_volume": "1Gi", "metrics_volume": "1Gi"},
	})
	keys, err := initialise.OpenKeys("")
	require.NoError(t, err)
	r.executors[helm.Name] = r.helm
	for _, e := range initialise.New(initialise.Options{Key: func() *secret.Box { return r.box }, Keys: keys, Dial: way.Dial}) {
		r.executors[e.Kind().Name] = e
	}
	return r
}

// raise makes a step, and before it what it stands on.
func (r *stepwise) raise(t *testing.T, ctx context.Context, address string) {
	t.Helper()
	if r.outputs[address] != nil {
		return
	}
	for _, n := range r.plan.Nodes() {
		if n.Address != address {
			continue
		}
		for _, on := range n.DependsOn {
			r.raise(t, ctx, on)
		}
		r.last[address] = r.requested(t, address, func(of string) (json.RawMessage, bool) { return r.outputs[of], r.outputs[of] != nil })
		r.again(t, ctx, address)
		return
	}
	require.Fail(t, "there is no such step", address)
}

// again applies a step, as often as it takes.
func (r *stepwise) again(t *testing.T, ctx context.Context, address string) {
	t.Helper()
	request := r.last[address]
	var of executor.Executor
	for _, n := range r.plan.Nodes() {
		if n.Address == address {
			of = r.executors[n.Executor]
		}
	}
	require.NotNil(t, of, address)
	request.Outputs = r.outputs[address]
	var out executor.Outputs
	require.Eventually(t, func() bool {
		var err error
		out, err = of.Apply(ctx, request)
		if err == nil {
			return true
		}
		t.Log(address, err)
		known := fault.From(err).Disposition
		require.True(t, known == fault.Retry || known == fault.Wait, "%s: %v", address, err)
		return false
	}, patience, time.Second)
	values := map[string]json.RawMessage{}
	for name, v := range out {
		values[name] = v.Value
	}
	var err error
	r.outputs[address], err = json.Marshal(values)
	require.NoError(t, err)
}

// answers: all of them answer, with certificates, and have found each other.
func (c *inCluster) answers(t *testing.T, ctx context.Context, r *stepwise, way *cluster.Cluster) {
	t.Helper()
	roots := map[string]string{"consul": `meta.vault_certificate.consul["one"]`, "vault": `meta.derived_certificate.vault["one"]`}
	for name, step := range roots {
		var of struct{ CA string }
		require.NoError(t, json.Unmarshal(r.outputs[step], &of))
		roots[name] = filepath.Join(c.Dir, name+".pem")
		require.NoError(t, os.WriteFile(roots[name], []byte(of.CA), 0o600))
	}
	all := []listener{{host("consul", "8500"), "/v1/status/leader", roots["consul"], roots["vault"]}, {host("vault", "8200"), "/v1/sys/health?standbyok=true", roots["vault"], roots["consul"]}}
	for i := range 3 {
		all = append(all, listener{host(fmt.Sprint("vault-", i), "8200"), "/v1/sys/health?standbyok=true", roots["vault"], roots["consul"]})
	}
	for _, of := range all { // a node that has just been started may not be there yet
		require.Eventually(t, func() bool {
			status, err := answered(ctx, way.Dial, "https://"+of.at+of.path, of.roots)
			return err == nil && status == http.StatusOK
		}, patience, time.Second, of.at)
	}
	trusted(t, ctx, way.Dial, all)
	verified(t, ctx, c.k.Dial, c.kubectl(t, ctx, "-n", namespace, "get", "pod", "vivarium-consul-0", "-o", "jsonpath={.status.podIP}")+":8300", roots["consul"])
	require.Eventually(t, func() bool {
		var peers []string
		_, body, err := fetched(ctx, way.Dial, "https://"+host("consul", "8500")+"/v1/status/peers", roots["consul"])
		return err == nil && json.Unmarshal(body, &peers) == nil && len(peers) == 3
	}, patience, time.Second, "Consul's servers check each other, and are three")
}
