package cluster

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// Account is the account of the service's runner, and what its role and the binding of both are called.
const Account = "vivarium-runner"

// mark is the annotation with the id of the cluster's key: whose it is.
const mark = "vivarium.bootstrap"

// environmentLabel is what the objects of an environment carry.
const environmentLabel = "vivarium.environment"

// ground is what is made before environment zero, in this order, and removed after it, from the last.
var ground = []schema.GroupVersionResource{accounts, roles, bindings}

func groundRules() []rbacv1.PolicyRule {
	verbs := []string{"get", "create", "patch", "delete"}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{accounts.Resource}, Verbs: verbs},
		{APIGroups: []string{roles.Group}, Resources: []string{roles.Resource, bindings.Resource}, Verbs: verbs},
	}
}

// Look tells whose namespace it is: the id of the key of a bootstrap that has begun there, "" for nobody's. One that has a Vivarium of
// which nobody says whose it is, is refused. It changes nothing.
func (c *Cluster) Look(ctx context.Context, environment string) (owner string, err error) {
	space, err := c.get(ctx, namespaces, c.namespace)
	if err != nil || space == nil {
		return "", err
	}
	if space.GetDeletionTimestamp() != nil {
		return "", fault.New(fault.Retry, fault.Busy, "the namespace %s of the cluster at %s is being removed: run this again when it is gone", c.namespace, c.address())
	}
	owner = space.GetAnnotations()[mark]
	for _, r := range ground {
		o, err := c.get(ctx, r, Account)
		switch {
		case err != nil:
			return "", err
		case o == nil:
			continue
		case o.GetAnnotations()[mark] == "":
			return "", c.taken(r.Resource + " " + Account + ", which no bootstrap has made")
		case owner != "" && o.GetAnnotations()[mark] != owner:
			return "", c.taken(r.Resource + " " + Account + " of another bootstrap than the namespace")
		}
		owner = o.GetAnnotations()[mark]
	}
	if owner != "" {
		return owner, nil
	}
	return "", c.unclaimed(ctx, environment)
}

// unclaimed refuses what is left of an environment zero that nobody says whose it is.
func (c *Cluster) unclaimed(ctx context.Context, environment string) error {
	for _, r := range []schema.GroupVersionResource{deployments, claims, secrets, services} {
		list, err := c.list(ctx, r, environmentLabel+"="+environment)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			return c.taken(r.Resource + " " + list[0].GetName() + " of an environment " + environment)
		}
	}
	return nil
}

func (c *Cluster) taken(what string) error {
	return fault.New(fault.Reject, fault.Exists, "the namespace %s of the cluster at %s has somebody else's Vivarium, or a part of one (%s): "+
		"name another with --namespace, or have it destroyed first; nothing was changed", c.namespace, c.address(), what)
}

func (c *Cluster) list(ctx context.Context, r schema.GroupVersionResource, labels string) ([]unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	list, err := c.of(r).List(ctx, metav1.ListOptions{LabelSelector: labels})
	if err != nil {
		return nil, c.fault(err, "list", r)
	}
	return list.Items, nil
}

// Mine refuses a namespace that is not the key's, nor nobody's.
func (c *Cluster) Mine(ctx context.Context, environment, key string) error {
	owner, err := c.Look(ctx, environment)
	if err == nil && owner != "" && owner != key {
		err = c.taken("begun with another cluster's key")
	}
	return err
}

// Claim makes the namespace where there is none, and in it the account of the service's runner with a role of the rules. Again it changes
// nothing.
func (c *Cluster) Claim(ctx context.Context, environment, key string, rules []rbacv1.PolicyRule) error {
	if err := c.Mine(ctx, environment, key); err != nil {
		return err
	}
	space, err := c.get(ctx, namespaces, c.namespace)
	if err != nil {
		return err
	}
	if space == nil {
		meta := c.meta(key)
		meta.Name, meta.Namespace = c.namespace, ""
		if err := c.apply(ctx, namespaces, c.namespace, corev1.Namespace{TypeMeta: typed(namespaces, "Namespace"), ObjectMeta: meta}); err != nil {
			return err
		}
	}
	for _, o := range []struct {
		of   schema.GroupVersionResource
		body any
	}{
		{accounts, corev1.ServiceAccount{TypeMeta: typed(accounts, "ServiceAccount"), ObjectMeta: c.meta(key)}},
		{roles, rbacv1.Role{TypeMeta: typed(roles, "Role"), ObjectMeta: c.meta(key), Rules: rules}},
		{bindings, rbacv1.RoleBinding{
			TypeMeta: typed(bindings, "RoleBinding"), ObjectMeta: c.meta(key), RoleRef: rbacv1.RoleRef{APIGroup: roles.Group, Kind: "Role", Name: Account},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: Account, Namespace: c.namespace}},
		}},
	} {
		if err := c.apply(ctx, o.of, Account, o.body); err != nil {
			return err
		}
	}
	return nil
}

func typed(r schema.GroupVersionResource, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: r.GroupVersion().String(), Kind: kind}
}

func (c *Cluster) meta(key string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: Account, Namespace: c.namespace, Labels: map[string]string{"app.kubernetes.io/managed-by": Manager}, Annotations: map[string]string{mark: key},
	}
}

// Release removes what Claim has made, once environment zero is destroyed, and returns when it is gone. The namespace goes only when a
// Claim has made it and nothing else is in it; left tells what is.
func (c *Cluster) Release(ctx context.Context, environment, key string) (left []string, err error) {
	if err := c.Mine(ctx, environment, key); err != nil {
		return nil, err
	}
	for i := len(ground) - 1; i >= 0; i-- {
		if err := c.remove(ctx, ground[i], Account); err != nil {
			return nil, err
		}
	}
	space, err := c.get(ctx, namespaces, c.namespace)
	if err != nil || space == nil || space.GetAnnotations()[mark] != key {
		return nil, err
	}
	if left, err = c.others(ctx); err != nil || len(left) > 0 {
		return left, err
	}
	return nil, c.remove(ctx, namespaces, c.namespace)
}

// others are what somebody else has in the namespace: all but what Kubernetes itself puts into each.
func (c *Cluster) others(ctx context.Context) (left []string, err error) {
	for _, r := range []schema.GroupVersionResource{deployments, pods, services, claims, secrets, configMaps} {
		list, err := c.list(ctx, r, "")
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			if r != configMaps || o.GetName() != "kube-root-ca.crt" {
				left = append(left, r.Resource+" "+o.GetName())
			}
		}
	}
	return left, nil
}

// remove returns when the object is gone.
func (c *Cluster) remove(ctx context.Context, r schema.GroupVersionResource, name string) error {
	for asked := false; ; asked = true {
		o, err := c.get(ctx, r, name)
		if err != nil || o == nil {
			return err
		}
		if uid := o.GetUID(); !asked {
			bounded, cancel := context.WithTimeout(ctx, timeout)
			err = c.of(r).Delete(bounded, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
			cancel()
			if gone, _ := c.get(ctx, r, name); err != nil && gone != nil {
				return c.fault(err, "delete", r)
			}
		}
		if err := resilience.Pause(ctx, 200*time.Millisecond); err != nil {
			return fault.From(err)
		}
	}
}
