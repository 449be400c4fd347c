package kubernetes

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPortsWithinTheCluster: no node has a port, and one is told the Service's name.
func TestPortsWithinTheCluster(t *testing.T) {
	s, w, err := rendering(t, Options{Namespace: "teams", ClusterPorts: true}, request(`{"image":"a:1","port":[{"container":8500}]}`))
	require.NoError(t, err)
	require.Len(t, w.network, 1)
	require.Contains(t, string(w.network[0].body), `"ClusterIP"`)
	require.Equal(t, map[string]int{"8500": 8500}, s.insidePorts())
	require.Equal(t, s.at.name+".teams.svc", s.at.host())
}

// TestOneAloneIsRecreated: of one that can't run twice Kubernetes waits for the end; several are replaced one after the other.
func TestOneAloneIsRecreated(t *testing.T) {
	for replicas, want := range map[string]string{"1": `"Recreate"`, "2": `"RollingUpdate"`} {
		_, w, err := rendering(t, Options{}, request(`{"image":"a:1","replicas":`+replicas+`,"update":{"order":"stop_first"}}`))
		require.NoError(t, err)
		require.Contains(t, string(w.deployment.body), want)
	}
}

// TestAccount: only who is given one has the API's credentials.
func TestAccount(t *testing.T) {
	for inputs, want := range map[string]string{
		`{"image":"a:1"}`: `"automountServiceAccountToken":false`,
		`{"image":"a:1","service_account":"vivarium-runner"}`: `"automountServiceAccountToken":true`,
	} {
		_, w, err := rendering(t, Options{}, request(inputs))
		require.NoError(t, err)
		require.Contains(t, string(w.deployment.body), want)
	}
}
