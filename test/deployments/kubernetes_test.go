package deployments

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// kinds are those that the manifests may have, as the API has them.
var kinds = map[string]func() any{
	"v1/Namespace":                                    func() any { return &corev1.Namespace{} },
	"v1/ServiceAccount":                               func() any { return &corev1.ServiceAccount{} },
	"v1/Service":                                      func() any { return &corev1.Service{} },
	"apps/v1/Deployment":                              func() any { return &appsv1.Deployment{} },
	"apps/v1/StatefulSet":                             func() any { return &appsv1.StatefulSet{} },
	"policy/v1/PodDisruptionBudget":                   func() any { return &policyv1.PodDisruptionBudget{} },
	"rbac.authorization.k8s.io/v1/ClusterRole":        func() any { return &rbacv1.ClusterRole{} },
	"rbac.authorization.k8s.io/v1/ClusterRoleBinding": func() any { return &rbacv1.ClusterRoleBinding{} },
}

// objects of a file, read strictly: a field that the API does not have is a mistake.
func objects(t *testing.T, file string) (all []any) {
	t.Helper()
	for _, text := range strings.Split(read(t, file), "\n---\n") {
		var head struct{ APIVersion, Kind string }
		require.NoError(t, yaml.Unmarshal([]byte(text), &head))
		make := kinds[head.APIVersion+"/"+head.Kind]
		require.NotNil(t, make, "%s has a %s/%s", file, head.APIVersion, head.Kind)
		object := make()
		require.NoError(t, yaml.UnmarshalStrict([]byte(text), object), "%s: %s", file, head.Kind)
		all = append(all, object)
	}
	return all
}

// templates of the pods of a file, by the name of who makes them, with the labels that these look for.
func templates(t *testing.T, file string) map[string]corev1.PodTemplateSpec {
	t.Helper()
	all := map[string]corev1.PodTemplateSpec{}
	for _, o := range objects(t, file) {
		switch o := o.(type) {
		case *appsv1.Deployment:
			require.Subset(t, o.Spec.Template.Labels, o.Spec.Selector.MatchLabels)
			all[o.Name] = o.Spec.Template
		case *appsv1.StatefulSet:
			require.Subset(t, o.Spec.Template.Labels, o.Spec.Selector.MatchLabels)
			all[o.Name] = o.Spec.Template
		}
	}
	return all
}

func TestKubernetes(t *testing.T) {
	accounts := map[string]bool{}
	for _, o := range objects(t, "kubernetes/base.yaml") {
		if account, is := o.(*corev1.ServiceAccount); is {
			accounts[account.Name] = true
		}
	}
	secrets := map[string]string{ // as the head of full.yaml has them made
		"VIVARIUM_BUS": "amqps://vivarium:x@rabbitmq.example.test/", "VIVARIUM_KEY": strings.TrimPrefix(key, "VIVARIUM_KEY="),
		"VIVARIUM_STORE": "arangodb+tls://vivarium:x@arangodb.example.test:8529/vivarium",
	}
	for file, names := range map[string][]string{"small.yaml": {"vivarium"}, "full.yaml": {"vivarium-server", "vivarium-runner"}} {
		made := templates(t, "kubernetes/"+file)
		require.Len(t, made, len(names))
		for _, name := range names {
			pod := made[name].Spec
			require.True(t, pod.ServiceAccountName == "" && !*pod.AutomountServiceAccountToken || accounts[pod.ServiceAccountName], "%s has no account", name)
			require.True(t, *pod.SecurityContext.RunAsNonRoot)
			require.Len(t, pod.Containers, 1)
			c := pod.Containers[0]
			require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem)
			set := map[string]string{}
			for _, v := range c.Env {
				set[v.Name] = v.Value
			}
			for _, from := range c.EnvFrom {
				require.Contains(t, read(t, "kubernetes/"+file), "create secret generic "+from.SecretRef.Name, "the head says how it is made")
			}
			for name, value := range secrets {
				set[name] = value
			}
			requireSettings(t, set)
		}
	}
}
