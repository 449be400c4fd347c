package kubernetes

import (
	rbacv1 "k8s.io/api/rbac/v1"
)

// Rights are what an account needs in the namespace of the option Namespace, by the rules of a Role. Without that option it needs
// the same in all namespaces, and those themselves.
func Rights() []rbacv1.PolicyRule {
	written := []string{string(toGet), string(toList), string(toWatch), "create", string(toPatch), string(toDelete)}
	return []rbacv1.PolicyRule{
		rule(written, secrets, configMaps, claims, services),
		rule(written, deployments),
		rule(written, ingresses),
		rule([]string{string(toGet), string(toList), string(toWatch), string(toDelete)}, pods),
		{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{string(toGet)}},
		rule([]string{string(toList), string(toWatch)}, replicaSets),
		rule([]string{string(toList)}, events),
	}
}

// rule is about kinds of one group.
func rule(verbs []string, kinds ...kind) rbacv1.PolicyRule {
	r := rbacv1.PolicyRule{APIGroups: []string{kinds[0].Group}, Verbs: verbs}
	for _, k := range kinds {
		r.Resources = append(r.Resources, k.Resource)
	}
	return r
}
