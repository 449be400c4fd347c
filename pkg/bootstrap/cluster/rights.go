package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// right is one verb on one resource, in the namespace unless it is of the cluster.
type right struct {
	verb, group, resource string
	wide                  bool
}

func (r right) String() string {
	text := r.resource
	if r.group != "" {
		text += " of " + r.group
	}
	if r.wide {
		text += " (of the cluster)"
	}
	return text
}

// reviewers are how many rights are asked for at once.
const reviewers = 8

// Check finds out whether the cluster answers, and whether whoever the kubeconfig says may do all that a bootstrap needs: what rules
// say, which the service's runner is given too, and what it takes to make its account and to get into the pods. It changes nothing. The
// error says which verbs on which resources are missing.
func (c *Cluster) Check(ctx context.Context, rules []rbacv1.PolicyRule) error {
	needed := c.always(rules)
	there, err := c.get(ctx, namespaces, c.namespace)
	switch {
	case fault.Is(err, fault.Forbidden): // it is asked for below, with all the rest
	case err != nil:
		return err
	case there == nil:
		needed = append(needed, right{verb: "create", resource: "namespaces", wide: true}, right{verb: "patch", resource: "namespaces", wide: true},
			right{verb: "delete", resource: "namespaces", wide: true})
	}
	missing, err := c.missing(ctx, needed)
	if err != nil || len(missing) == 0 {
		return err
	}
	return fault.New(fault.Reject, fault.Forbidden, "the account of the context %q lacks rights in the namespace %s of the cluster at %s: %s; nothing was changed",
		c.place.Context, c.namespace, c.address(), told(missing))
}

func (c *Cluster) always(rules []rbacv1.PolicyRule) []right {
	needed := []right{{verb: "get", resource: "namespaces", wide: true}, {verb: "create", resource: "pods/portforward"}}
	for _, r := range append(slices.Clone(rules), groundRules()...) {
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					needed = append(needed, right{verb: verb, group: group, resource: resource})
				}
			}
		}
	}
	return needed
}

// missing are those of the rights that the API server says we do not have.
func (c *Cluster) missing(ctx context.Context, needed []right) ([]right, error) {
	denied := make([]bool, len(needed))
	var all errgroup.Group
	all.SetLimit(reviewers)
	for i, r := range needed {
		all.Go(func() (err error) {
			denied[i], err = c.denied(ctx, r)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	var missing []right
	for i, r := range needed {
		if denied[i] {
			missing = append(missing, r)
		}
	}
	return missing, nil
}

func (c *Cluster) denied(ctx context.Context, r right) (bool, error) {
	resource, sub, _ := strings.Cut(r.resource, "/")
	attributes := &authorizationv1.ResourceAttributes{Namespace: c.namespace, Verb: r.verb, Group: r.group, Resource: resource, Subresource: sub}
	if r.wide {
		attributes.Namespace, attributes.Name = "", c.namespace
		if r.verb == "create" {
			attributes.Name = ""
		}
	}
	body, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&authorizationv1.SelfSubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: reviews.GroupVersion().String(), Kind: "SelfSubjectAccessReview"},
		Spec:     authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes},
	})
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := c.of(reviews).Create(ctx, &unstructured.Unstructured{Object: body}, metav1.CreateOptions{})
	if err != nil {
		return false, c.fault(err, "create", reviews)
	}
	allowed, _, err := unstructured.NestedBool(answer.Object, "status", "allowed")
	return !allowed, err
}

// told puts the verbs of one resource together, in the order in which they were asked for.
func told(missing []right) string {
	var order []string
	verbs := map[string][]string{}
	for _, r := range missing {
		of := r.String()
		if verbs[of] == nil {
			order = append(order, of)
		}
		if !slices.Contains(verbs[of], r.verb) {
			verbs[of] = append(verbs[of], r.verb)
		}
	}
	parts := make([]string, 0, len(order))
	for _, of := range order {
		parts = append(parts, fmt.Sprintf("%s on %s", strings.Join(verbs[of], ", "), of))
	}
	return strings.Join(parts, "; ")
}
