package kubernetes

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// TestRightsAreThoseOfTheManifest: what people are given to install is what the executor says it needs, and what it takes where each
// environment has a namespace.
func TestRightsAreThoseOfTheManifest(t *testing.T) {
	text, err := os.ReadFile("../../../../deployments/kubernetes/base.yaml")
	require.NoError(t, err)
	var role rbacv1.ClusterRole
	for _, part := range bytes.Split(text, []byte("\n---\n")) {
		var found rbacv1.ClusterRole
		require.NoError(t, yaml.Unmarshal(part, &found))
		if found.Kind == "ClusterRole" {
			role = found
		}
	}
	want := single(Rights())
	for _, verb := range []string{"get", "list", "watch", "create", "patch", "delete"} {
		want = append(want, "/namespaces "+verb)
	}
	require.ElementsMatch(t, append(want, "/nodes/proxy get"), single(role.Rules))
}

func single(rules []rbacv1.PolicyRule) (all []string) {
	for _, r := range rules {
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					all = append(all, group+"/"+resource+" "+verb)
				}
			}
		}
	}
	return all
}

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
