package kubernetes

import (
	"encoding/json"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// object is one that is wanted: what server-side apply takes, which are the fields that are ours and no others.
type object struct {
	kind kind
	name string
	body json.RawMessage
}

// wanted are all objects of the step.
type wanted struct {
	// config are the Secret, the ConfigMap and the claims: what a pod needs to start.
	config     []object
	deployment object
	// network are the Services and the Ingress.
	network []object
}

func (w wanted) all() []object {
	return slices.Concat(w.config, []object{w.deployment}, w.network)
}

// render makes the objects of the block.
func (s *session) render() (w wanted, err error) {
	data, err := s.contents()
	if err != nil {
		return w, err
	}
	w.config = append(data.objects(s), s.claimObjects()...)
	w.deployment = newObject(deployments, s.at.name, s.deployment(data))
	w.network = s.networkObjects()
	return w, nil
}

// newObject writes one of Kubernetes' types without the fields that nobody set, which would be ours as well otherwise. These
// types can always be written as JSON.
func newObject(k kind, name string, of any) object {
	text, err := json.Marshal(of)
	var fields map[string]any
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err == nil {
		delete(fields, "status")
		fields["apiVersion"], fields["kind"] = k.apiVersion(), k.name
		text, err = json.Marshal(withoutEmpty(fields))
	}
	if err != nil {
		panic(fault.Wrap(err, fault.GiveUp, fault.Internal, "a %s can't be written as JSON", k.name))
	}
	return object{kind: k, name: name, body: text}
}

// withoutEmpty leaves out nulls and empty objects; false and 0 are somebody's.
func withoutEmpty(fields map[string]any) map[string]any {
	for name, value := range fields {
		switch v := value.(type) {
		case nil:
			delete(fields, name)
		case map[string]any:
			if len(withoutEmpty(v)) == 0 {
				delete(fields, name)
			}
		case []any:
			for _, e := range v {
				if m, ok := e.(map[string]any); ok {
					withoutEmpty(m)
				}
			}
		}
	}
	return fields
}

// meta is that of every object of the step.
func (s *session) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: s.at.namespace, Labels: s.labels(), Annotations: s.annotations()}
}

func pointer[T any](v T) *T { return &v }

func (s *session) deployment(data *contents) appsv1.Deployment {
	d := appsv1.Deployment{ObjectMeta: s.meta(s.at.name)}
	s.ownLabels(d.Labels, d.Annotations)
	d.Spec = appsv1.DeploymentSpec{
		Replicas:                pointer(int32(s.block.Replicas)), //nolint:gosec // at most 100
		Selector:                &metav1.LabelSelector{MatchLabels: s.selected()},
		Strategy:                s.strategy(),
		RevisionHistoryLimit:    pointer[int32](1),
		ProgressDeadlineSeconds: pointer(seconds(s.block.Update.HealthTimeout) + 1),
		Template:                corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: d.Labels, Annotations: d.Annotations}, Spec: s.pod(data)},
	}
	if s.block.Health == nil {
		d.Spec.MinReadySeconds = 1 // it runs, and keeps running
	}
	return d
}

// selected are the labels that the step's pods, and no others, have.
func (s *session) selected() map[string]string { return map[string]string{labelID: s.at.id} }

// ownLabels adds the template's labels: as labels where their values can be, and always as annotations, which controllers
// of the cluster read as well.
func (s *session) ownLabels(labels, annotations map[string]string) {
	for name, value := range s.block.Labels {
		annotations[name] = value
		if len(validation.IsValidLabelValue(value)) == 0 {
			labels[name] = value
		}
	}
}

// strategy never has fewer replicas than there should be, unless two can't run at once. Of one alone Kubernetes then waits for the
// end of the old one, which a rolling update does not.
func (s *session) strategy() appsv1.DeploymentStrategy {
	if s.block.Update.Order == container.StopFirst && s.block.Replicas == 1 {
		return appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	}
	surge, unavailable := intstr.FromInt32(1), intstr.FromInt32(0)
	if s.block.Update.Order == container.StopFirst {
		surge, unavailable = unavailable, surge
	}
	return appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &unavailable}}
}

func (s *session) pod(data *contents) corev1.PodSpec {
	volumes, mounts := s.volumes(data)
	c := corev1.Container{
		Name: container.Service(s.r), Image: s.block.Image, ImagePullPolicy: pullPolicies[s.block.Pull], Env: data.env, VolumeMounts: mounts,
		Command: data.entrypoint, Args: data.command, WorkingDir: s.block.Workdir, Resources: corev1.ResourceRequirements{Limits: s.limits()},
	}
	s.probe(&c)
	return corev1.PodSpec{
		Containers: []corev1.Container{c}, Volumes: volumes, SecurityContext: s.identity(),
		TerminationGracePeriodSeconds: pointer(int64(seconds(s.block.StopTimeout))),
		// It is a container like any other: neither the API's credentials nor variables about its neighbours are given to it, unless the
		// block names an account.
		ServiceAccountName: s.block.ServiceAccount, AutomountServiceAccountToken: pointer(s.block.ServiceAccount != ""), EnableServiceLinks: pointer(false),
	}
}

// identity is as whom the container runs, nil for as whom its image says.
func (s *session) identity() *corev1.PodSecurityContext {
	user, group, _ := identity(s.block.User)
	if user < 0 {
		return nil
	}
	context := &corev1.PodSecurityContext{RunAsUser: &user}
	if group >= 0 {
		context.RunAsGroup = &group
	}
	return context
}

var pullPolicies = map[string]corev1.PullPolicy{
	container.PullMissing: corev1.PullIfNotPresent, container.PullAlways: corev1.PullAlways, container.PullNever: corev1.PullNever,
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
