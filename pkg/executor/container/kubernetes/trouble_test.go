package kubernetes

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func podWith(status corev1.ContainerStatus, conditions ...corev1.PodCondition) corev1.Pod {
	p := corev1.Pod{Status: corev1.PodStatus{Conditions: conditions, ContainerStatuses: []corev1.ContainerStatus{status}}}
	p.Name = "p"
	return p
}

func waitingFor(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// TestTroubles: why a pod is not healthy is said in words, without what nobody may see.
func TestTroubles(t *testing.T) {
	s, _, err := rendering(t, Options{}, request(`{"image":"a:1"}`))
	require.NoError(t, err)
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}}
	for says, p := range map[string]corev1.Pod{
		"":                           podWith(corev1.ContainerStatus{State: waitingFor("ContainerCreating", "")}),
		"ended with status 3, again": podWith(corev1.ContainerStatus{State: waitingFor("CrashLoopBackOff", ""), LastTerminationState: ended}),
		"a:1 can't be pulled (ImagePullBackOff): no (sensitive)": podWith(corev1.ContainerStatus{State: waitingFor("ImagePullBackOff", "no "+hidden)}),
		"is not on the node":              podWith(corev1.ContainerStatus{State: waitingFor("ErrImageNeverPull", "")}),
		"can't start (RunContainerError)": podWith(corev1.ContainerStatus{State: waitingFor("RunContainerError", "x")}),
		"ended with status 3":             podWith(corev1.ContainerStatus{State: ended}),
		"more memory than its limit": podWith(corev1.ContainerStatus{State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}}}),
		"does not pass its health check": podWith(corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}),
		"no node takes the pod p: 0/1 nodes": podWith(corev1.ContainerStatus{},
			corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes"}),
	} {
		text := s.troubleOf(p).text
		require.Contains(t, text, says)
		require.Equal(t, says == "", text == "")
		require.NotContains(t, text, hidden)
	}
}

// TestFaults: what the API server answers becomes a code and a disposition.
func TestFaults(t *testing.T) {
	s, _, err := rendering(t, Options{}, request(`{"image":"a:1"}`))
	require.NoError(t, err)
	of := schema.GroupResource{Group: "apps", Resource: "deployments"}
	terminating := apierrors.NewForbidden(of, "x", errors.New("ending"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for _, c := range []struct {
		err         error
		code        fault.Code
		disposition fault.Disposition
		says        string
	}{
		{apierrors.NewForbidden(of, "x", errors.New("no")), fault.PermissionDenied, fault.GiveUp, "the verb patch on deployments of apps"},
		{apierrors.NewUnauthorized("who"), fault.PermissionDenied, fault.GiveUp, "does not know the runner"},
		{apierrors.NewConflict(of, "x", errors.New("c")), fault.Conflict, fault.Retry, "somebody else"},
		{apierrors.NewNotFound(of, "x"), fault.NotFound, fault.GiveUp, "no namespace vivarium-notes"},
		{apierrors.NewTooManyRequests("later", 1), fault.Unavailable, fault.Wait, "too busy"},
		{apierrors.NewInternalError(errors.New("x")), fault.Unavailable, fault.Wait, "not ready"},
		{apierrors.NewBadRequest("what is " + hidden), fault.Invalid, fault.GiveUp, "what is (sensitive)"},
		{terminating, fault.Busy, fault.Retry, "being removed"},
		{errors.New("broken pipe"), fault.Unavailable, fault.Wait, "does not answer"},
	} {
		got := fault.From(s.fault(t.Context(), toPatch, deployments, c.err))
		require.Equal(t, c.code, got.Code, "%v", c.err)
		require.Equal(t, c.disposition, got.Disposition, "%v", c.err)
		require.Contains(t, got.Message, c.says)
		require.NotContains(t, got.Message, hidden)
	}
	require.NoError(t, s.fault(t.Context(), toPatch, deployments, nil))
}

// TestCompare: differences are told by the names of list elements, and a Secret's values are hidden.
func TestCompare(t *testing.T) {
	s, _, err := rendering(t, Options{}, request(`{"image":"a:1"}`))
	require.NoError(t, err)
	of := func(image, password string) live {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"resourceVersion": image}, "status": map[string]any{"replicas": image},
			"data": map[string]any{"env.PASSWORD": password},
			"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "api", "image": image}}}}},
		}}
	}
	require.Empty(t, s.compare(deployments, "d", of("a", "x"), of("a", "x")))
	require.Equal(t, []event.Difference{{Path: "Deployment d: image", Change: event.ChangeUpdate, Before: "a", After: "b"}},
		s.compare(deployments, "d", of("a", "x"), of("b", "x")))
	require.Equal(t, []event.Difference{{Path: "Secret s: data[env.PASSWORD]", Change: event.ChangeUpdate, Before: "(sensitive)", After: "(sensitive)", Sensitive: true}},
		s.compare(secrets, "s", of("a", "x"), of("a", "y")))
	require.Equal(t, []event.Difference{{Path: "Secret s", Change: event.ChangeCreate, Sensitive: true}}, s.compare(secrets, "s", nil, of("a", "x")))
	require.Empty(t, s.compare(secrets, "s", nil, nil))
}
