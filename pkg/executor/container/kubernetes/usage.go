package kubernetes

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Usage is what the replicas use now: what their nodes measure or, where those may not be asked, what the cluster's metrics
// server has, which knows nothing of the network.
func (e *Executor) Usage(ctx context.Context, r executor.Request) (event.Usage, error) {
	usage := event.Usage{Time: time.Now().UTC(), Replicas: []event.ReplicaUsage{}}
	s, err := e.begin(ctx, r, true)
	if err != nil {
		return usage, err
	}
	running, err := s.pods(ctx)
	if err != nil || len(running) == 0 {
		return usage, err
	}
	measured, err := s.measured(ctx, running)
	if err != nil {
		return usage, err
	}
	for _, p := range running {
		u := measured[p.Name]
		u.Name, u.State, u.MemoryLimit = p.Name, stateOf(p), int64(s.block.Limits.Memory)
		usage.Replicas = append(usage.Replicas, u)
	}
	return usage, nil
}

// stateOf is the container's state in a word.
func stateOf(p corev1.Pod) string {
	for _, c := range p.Status.ContainerStatuses {
		switch {
		case c.State.Running != nil:
			return "running"
		case c.State.Waiting != nil && c.LastTerminationState.Terminated != nil:
			return "restarting"
		case c.State.Terminated != nil:
			return "exited"
		}
	}
	return "pending"
}

func (s *session) measured(ctx context.Context, running []corev1.Pod) (map[string]event.ReplicaUsage, error) {
	measured := map[string]event.ReplicaUsage{}
	asked := map[string]bool{}
	for _, p := range running {
		if p.Spec.NodeName == "" || asked[p.Spec.NodeName] {
			continue
		}
		asked[p.Spec.NodeName] = true
		if err := s.askNode(ctx, p.Spec.NodeName, measured); err != nil {
			return s.askMetrics(ctx, measured, err)
		}
	}
	return measured, nil
}

// raw gets a path that holds no object of the kinds that we know.
func (s *session) rawGet(ctx context.Context, answer any, segments ...string) error {
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	text, err := s.c.raw.Get().AbsPath(segments...).Param("labelSelector", s.at.selector()).Do(bounded).Raw()
	if err != nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

// askNode asks the node itself, through the API server.
func (s *session) askNode(ctx context.Context, node string, measured map[string]event.ReplicaUsage) error {
	var answer struct {
		Pods []struct {
			PodRef  struct{ Name, Namespace string }
			CPU     struct{ UsageNanoCores int64 }
			Memory  struct{ WorkingSetBytes int64 }
			Network struct{ RxBytes, TxBytes int64 }
		}
	}
	if err := s.rawGet(ctx, &answer, "/api/v1/nodes", node, "proxy/stats/summary"); err != nil {
		return err
	}
	for _, p := range answer.Pods {
		if p.PodRef.Namespace == s.at.namespace {
			measured[p.PodRef.Name] = event.ReplicaUsage{
				CPU: float64(p.CPU.UsageNanoCores) / 1e9, Memory: p.Memory.WorkingSetBytes,
				NetworkReceived: p.Network.RxBytes, NetworkSent: p.Network.TxBytes,
			}
		}
	}
	return nil
}

// askMetrics asks the metrics server; cause is why the nodes could not be asked, and the error when this can't be either.
func (s *session) askMetrics(ctx context.Context, measured map[string]event.ReplicaUsage, cause error) (map[string]event.ReplicaUsage, error) {
	var answer struct {
		Items []struct {
			Metadata   struct{ Name string }
			Containers []struct{ Usage map[string]resource.Quantity }
		}
	}
	if s.rawGet(ctx, &answer, "/apis/metrics.k8s.io/v1beta1/namespaces", s.at.namespace, "pods") != nil {
		return nil, s.fault(ctx, toGet, nodesProxy, cause)
	}
	for _, p := range answer.Items {
		u := event.ReplicaUsage{}
		for _, c := range p.Containers {
			cpu, memory := c.Usage["cpu"], c.Usage["memory"]
			u.CPU += cpu.AsApproximateFloat64()
			u.Memory += memory.Value()
		}
		measured[p.Metadata.Name] = u
	}
	return measured, nil
}
