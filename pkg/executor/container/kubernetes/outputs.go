package kubernetes

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// outputs are read from the pods and the Service of the nodes' ports.
func (s *session) outputs(ctx context.Context) (executor.Outputs, error) {
	o := container.Outputs{URL: s.block.URL()}
	running, err := s.pods(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range running {
		o.Names, o.Addresses = append(o.Names, p.Name), append(o.Addresses, p.Status.PodIP)
		for _, c := range p.Status.ContainerStatuses {
			o.ImageID = c.ImageID
		}
	}
	if len(s.block.Ports) == 0 {
		return o.Values(s.r), nil
	}
	if s.options.ClusterPorts {
		o.Host, o.Ports = s.at.host(), s.insidePorts()
		return o.Values(s.r), nil
	}
	if len(running) > 0 {
		o.Host = running[0].Status.HostIP
	}
	if o.Ports, err = s.nodePorts(ctx); err != nil {
		return nil, err
	}
	return o.Values(s.r), nil
}

// pods are those that are not ending, in the order of their names.
func (s *session) pods(ctx context.Context) (found []corev1.Pod, err error) {
	_, all, err := s.listed(ctx, pods)
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		p, err := as[corev1.Pod](o)
		if err != nil {
			return nil, err
		}
		if p.DeletionTimestamp == nil {
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// insidePorts are the same outside of the pods as inside, since nobody but the cluster sees them.
func (s *session) insidePorts() map[string]int {
	ports := map[string]int{}
	for _, p := range s.block.Ports {
		ports[p.Key()] = p.Container
	}
	return ports
}

// nodePorts are the ports on every node, by the block's.
func (s *session) nodePorts(ctx context.Context) (map[string]int, error) {
	o, err := s.claimed(ctx, services, s.portsName())
	if err != nil || o == nil {
		return nil, err
	}
	service, err := as[corev1.Service](o)
	if err != nil {
		return nil, err
	}
	ports := map[string]int{}
	for _, p := range service.Spec.Ports {
		ports[container.Port{Container: int(p.Port), Protocol: strings.ToLower(string(p.Protocol))}.Key()] = int(p.NodePort)
	}
	return ports, nil
}
