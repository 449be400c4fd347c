package helm

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/kube"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/kubernetes"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// every is how often something is looked at that is waited for.
const every = time.Second

// client is Helm's client with waits that end when the work does: its own know no context.
type client struct {
	*kube.Client
	s     *session
	typed kubernetes.Interface
}

// Create implements kube.Interface.
func (c *client) Create(list kube.ResourceList) (*kube.Result, error) {
	made, err := c.Client.Create(list)
	if err == nil {
		for _, o := range list {
			c.s.say("created the %s", title(o))
		}
	}
	return made, err
}

// Wait implements kube.Interface.
func (c *client) Wait(list kube.ResourceList, timeout time.Duration) error {
	return c.ready(list, timeout)
}

// WaitWithJobs implements kube.Interface.
func (c *client) WaitWithJobs(list kube.ResourceList, timeout time.Duration) error {
	return c.ready(list, timeout, kube.CheckJobs(true))
}

func (c *client) ready(list kube.ResourceList, timeout time.Duration, options ...kube.ReadyCheckerOption) error {
	checker := kube.NewReadyChecker(c.typed, nil, append(options, kube.PausedAsReady(true))...)
	return c.until(list, timeout, "ready", func(o *resource.Info) (bool, error) { return checker.IsReady(c.s.ctx, o) })
}

// WaitForDelete implements kube.InterfaceExt.
func (c *client) WaitForDelete(list kube.ResourceList, timeout time.Duration) error {
	return c.until(list, timeout, "gone", func(o *resource.Info) (bool, error) {
		err := o.Get()
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}

// WatchUntilReady implements kube.Interface: a hook's Job has to complete, its pod to succeed, all else is there when it is made.
func (c *client) WatchUntilReady(list kube.ResourceList, timeout time.Duration) error {
	return c.until(list, timeout, "done", func(o *resource.Info) (bool, error) {
		if err := o.Get(); apierrors.IsNotFound(err) {
			return true, nil // somebody has removed it, as after its time to live
		} else if err != nil {
			return false, err
		}
		switch v := kube.AsVersioned(o).(type) {
		case *batchv1.Job:
			return jobDone(o, v)
		case *corev1.Pod:
			if v.Status.Phase == corev1.PodFailed {
				return false, ended(o)
			}
			return v.Status.Phase == corev1.PodSucceeded, nil
		}
		return true, nil
	})
}

func jobDone(o *resource.Info, job *batchv1.Job) (bool, error) {
	for _, c := range job.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == batchv1.JobComplete:
			return true, nil
		case c.Type == batchv1.JobFailed:
			return false, ended(o)
		}
	}
	return false, nil
}

func ended(o *resource.Info) error {
	return fault.New(fault.GiveUp, NotReady, "the hook %s failed; its pods' logs say why", title(o))
}

// until looks at the objects until all are as they should be. An API server that does not answer for a moment is asked again; what
// a check says of an object itself is final.
func (c *client) until(list kube.ResourceList, timeout time.Duration, state string, is func(*resource.Info) (bool, error)) error {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	look := time.NewTicker(every)
	defer look.Stop()
	said := map[string]bool{}
	for {
		left, err := c.others(list, is)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, name := range left {
			if !said[name] {
				said[name] = true
				c.s.say("waiting until the %s is %s", name, state)
			}
		}
		if c.s.r.Progress != nil {
			c.s.r.Progress(event.Progress{Message: fmt.Sprintf("%d of %d objects are %s", len(list)-len(left), len(list), state), Done: len(list) - len(left), Total: len(list)})
		}
		select {
		case <-c.s.ctx.Done():
			return c.s.fail(fault.From(c.s.ctx.Err()))
		case <-deadline.C:
			return c.s.fail(fault.New(fault.Retry, NotReady, "what %s has installed is not %s after %s: %s", c.s.r.Step, state, timeout, enumerated(left)))
		case <-look.C:
		}
	}
}

// others are those that are not as they should be.
func (c *client) others(list kube.ResourceList, is func(*resource.Info) (bool, error)) (left []string, err error) {
	for _, o := range list {
		ok, err := is(o)
		if err != nil && !c.passing(err) {
			return nil, c.s.fail(c.s.fault(err, fault.GiveUp, "made ready"))
		}
		if !ok {
			left = append(left, title(o))
		}
	}
	return left, nil
}

// passing tells whether an error may be over with the next look.
func (c *client) passing(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code != http.StatusForbidden && code != http.StatusUnauthorized
	}
	return c.s.lost.Load()
}

// title is how people call an object.
func title(o *resource.Info) string { return o.Mapping.GroupVersionKind.Kind + " " + o.Name }

func enumerated(names []string) string {
	const most = 10
	if more := len(names) - most; more > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}
