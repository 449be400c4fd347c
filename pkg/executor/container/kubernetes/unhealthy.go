package kubernetes

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// backAgain is how long the former revision has to get healthy again, whose own timeout is not known any more.
const backAgain = 2 * time.Minute

// unhealthy says why the replicas did not get healthy, and returns to those that were.
func (s *session) unhealthy(ctx context.Context, is live, o object) error {
	reason, err := s.explain(ctx, is)
	if err != nil {
		return err
	}
	now, err := s.claimed(ctx, deployments, s.at.name)
	if err != nil {
		return err
	}
	outcome := "it stays as it is, to be looked at; the next apply or destroy changes or removes it"
	if now != nil {
		if former := now.GetAnnotations()[annotationHealthy]; former != "" && former != string(o.body) {
			if outcome, err = s.revert(ctx, now, former); err != nil {
				return err
			}
		}
	}
	return fault.New(fault.GiveUp, container.Unhealthy, "the replicas of %s did not get healthy within %s: %s; %s", s.r.Step, timeoutOf(s), reason, outcome)
}

func timeoutOf(s *session) string {
	text, _ := s.block.Update.HealthTimeout.MarshalJSON() // a string
	return strings.Trim(string(text), `"`)
}

// revert applies what was healthy before, and waits until it is so again.
func (s *session) revert(ctx context.Context, now live, former string) (string, error) {
	if !json.Valid([]byte(former)) {
		return "what was healthy before can't be read from its annotation " + annotationHealthy + ", so it stays as it is", nil
	}
	s.say("returning to the revision that was healthy before")
	is, err := s.apply(ctx, object{kind: deployments, name: s.at.name, body: json.RawMessage(former)}, now, false)
	if err != nil {
		return "", s.fault(ctx, toPatch, deployments, err)
	}
	switch err := s.healthy(ctx, is, backAgain); {
	case err == errAlarm: //nolint:errorlint // it is made here and never wrapped
		return "the former revision was put back, and is not healthy either", nil
	case err != nil:
		return "", err
	}
	return "the former revision runs again", nil
}

// explain finds out what is wrong, and logs what the pod in trouble printed last.
func (s *session) explain(ctx context.Context, is live) (string, error) {
	sc := scene{}
	for _, k := range []kind{deployments, replicaSets, pods} {
		_, all, err := s.listed(ctx, k)
		if err != nil {
			return "", err
		}
		sc.take(news{kind: k, all: all})
	}
	found := s.troubles(sc)
	if len(found) == 0 {
		return s.refused(sc, is), nil
	}
	t := found[0]
	if warning := s.warned(ctx, t.pod.UID); warning != "" && t.unwell {
		t.text += ": " + warning
	}
	if lines := s.lastLines(ctx, t); len(lines) > 0 {
		const shown = 3
		for _, line := range lines {
			if s.r.Log != nil {
				s.r.Log("err", t.pod.Name+": "+line)
			}
		}
		t.text += "; the last it printed: " + strings.Join(lines[max(0, len(lines)-shown):], " | ")
	}
	return t.text, nil
}

// refused tells why there are no pods at all, such as a quota.
func (s *session) refused(sc scene, is live) string {
	if o := sc.of(deployments)[is.GetUID()]; o != nil {
		if d, err := as[appsv1.Deployment](o); err == nil {
			for _, c := range d.Status.Conditions {
				if c.Type == appsv1.DeploymentReplicaFailure {
					return "Kubernetes makes no pods: " + s.r.Mask(c.Message)
				}
			}
		}
	}
	return "the pods of the Deployment " + s.at.name + " are not all there yet"
}
