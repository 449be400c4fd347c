package deployments

import (
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/vivarium-env/vivarium/pkg/executor/container/kubernetes"
	"github.com/vivarium-env/vivarium/pkg/executor/helm"
)

// TestRightsAreThoseThatTheCodeAsksFor: what people are given to install is what the executors of containers and of charts say that they need, which is
// what a bootstrap asks for too, and what it takes where each environment has a namespace. Nothing else.
func TestRightsAreThoseThatTheCodeAsksFor(t *testing.T) {
	var granted []string
	for _, o := range objects(t, "kubernetes/base.yaml") {
		if role, is := o.(*rbacv1.ClusterRole); is {
			granted = append(granted, single(role.Rules)...)
		}
	}
	want := append(single(kubernetes.Rights()), single(helm.Rights())...)
	for _, verb := range []string{"get", "list", "watch", "create", "patch", "delete"} {
		want = append(want, "/namespaces "+verb)
	}
	require.ElementsMatch(t, append(want, "/nodes/proxy get"), granted)
}

// single are the rights one by one, as GROUP/RESOURCE VERB.
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
