package kubernetes

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// trouble is why a pod is not healthy.
type trouble struct {
	pod  corev1.Pod
	text string
	// crashed: its container has ended before, and what that one printed tells more than what the next one does.
	crashed bool
	// unwell: it runs, and does not pass its check.
	unwell bool
}

// troubles are those of the pods of the newest revision, the newest pod first.
func (s *session) troubles(sc scene) (found []trouble) {
	for _, o := range slices.SortedFunc(maps.Values(sc.of(pods)), newestFirst) {
		p, err := as[corev1.Pod](o)
		if err != nil || p.DeletionTimestamp != nil || ready(p) || !sc.isNew(o) {
			continue
		}
		if t := s.troubleOf(p); t.text != "" {
			found = append(found, t)
		}
	}
	return found
}

func newestFirst(a, b live) int {
	if by := b.GetCreationTimestamp().Compare(a.GetCreationTimestamp().Time); by != 0 {
		return by
	}
	return strings.Compare(a.GetName(), b.GetName())
}

func ready(p corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func (s *session) troubleOf(p corev1.Pod) trouble {
	t := trouble{pod: p}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			t.text = fmt.Sprintf("no node takes the pod %s: %s", p.Name, s.r.Mask(c.Message))
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		switch state := c.State; {
		case state.Waiting != nil:
			t.crashed = c.LastTerminationState.Terminated != nil
			t.text = s.waiting(p, state.Waiting, c.LastTerminationState.Terminated)
		case state.Terminated != nil:
			t.crashed, t.text = true, fmt.Sprintf("the container of the pod %s %s", p.Name, ending(state.Terminated))
		case state.Running != nil:
			t.unwell = true
			t.text = fmt.Sprintf("the pod %s runs, and does not pass its health check", p.Name)
			if last := c.LastTerminationState.Terminated; last != nil {
				t.crashed = true
				t.text += fmt.Sprintf("; before that its container %s", ending(last))
			}
		}
	}
	return t
}

// waiting says why a container does not run; "" is for what is only a matter of time.
func (s *session) waiting(p corev1.Pod, w *corev1.ContainerStateWaiting, last *corev1.ContainerStateTerminated) string {
	said := s.r.Mask(strings.Join(strings.Fields(w.Message), " "))
	switch w.Reason {
	case "ContainerCreating", "PodInitializing":
		return ""
	case "CrashLoopBackOff":
		if last != nil {
			return fmt.Sprintf("the container of the pod %s %s, again and again (CrashLoopBackOff)", p.Name, ending(last))
		}
		return fmt.Sprintf("the container of the pod %s ends again and again (CrashLoopBackOff)", p.Name)
	case "ImagePullBackOff", "ErrImagePull":
		return fmt.Sprintf("the image %s can't be pulled (%s): %s", s.r.Mask(s.block.Image), w.Reason, said)
	case "ErrImageNeverPull":
		return fmt.Sprintf("the image %s is not on the node of the pod %s, and is not to be pulled (pull = \"never\")", s.r.Mask(s.block.Image), p.Name)
	}
	return fmt.Sprintf("the pod %s can't start (%s): %s", p.Name, w.Reason, said)
}

func ending(t *corev1.ContainerStateTerminated) string {
	switch {
	case t.Reason == "OOMKilled":
		return "took more memory than its limit and was killed"
	case t.Signal != 0:
		return fmt.Sprintf("was ended by signal %d", t.Signal)
	case t.ExitCode == 0:
		return "ended by itself with status 0"
	}
	return fmt.Sprintf("ended with status %d", t.ExitCode)
}

// hopeless tells whether there is a pod that more time would not help.
func (s *session) hopeless(sc scene) bool {
	for _, t := range s.troubles(sc) {
		if slices.ContainsFunc(t.pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
			return c.State.Waiting != nil && (c.State.Waiting.Reason == "ErrImageNeverPull" || c.State.Waiting.Reason == "InvalidImageName")
		}) {
			return true
		}
	}
	return false
}

// warned is the last warning about an object, such as what a health check answered; "" where there is none, or it may not be seen.
func (s *session) warned(ctx context.Context, uid types.UID) string {
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	list, err := s.of(events).List(bounded, metav1.ListOptions{FieldSelector: "type=Warning,involvedObject.uid=" + string(uid)})
	if err != nil || len(list.Items) == 0 {
		return ""
	}
	latest := slices.MaxFunc(list.Items, func(a, b unstructured.Unstructured) int {
		return strings.Compare(a.GetResourceVersion(), b.GetResourceVersion())
	})
	e, err := as[corev1.Event](&latest)
	if err != nil {
		return ""
	}
	return s.r.Mask(strings.Join(strings.Fields(e.Message), " "))
}

// lastLines are what a pod's container printed last, of the one before when that one crashed.
func (s *session) lastLines(ctx context.Context, t trouble) (lines []string) {
	const enough = 15
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	for _, previous := range []bool{t.crashed, false} {
		text, err := s.c.raw.Get().Namespace(s.at.namespace).Resource("pods").Name(t.pod.Name).SubResource("log").
			Param("tailLines", fmt.Sprint(enough)).Param("limitBytes", "16384").Param("previous", fmt.Sprint(previous)).Do(bounded).Raw()
		if err != nil || len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		for line := range strings.Lines(string(text)) {
			lines = append(lines, s.r.Mask(strings.TrimRight(line, "\r\n")))
		}
		return lines
	}
	return nil
}
