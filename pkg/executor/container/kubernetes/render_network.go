package kubernetes

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// networkObjects are the Service for those inside the cluster, one on the nodes for ports unless those stay inside, and the Ingress for what is exposed.
func (s *session) networkObjects() []object {
	objects := []object{newObject(services, s.at.service, s.inside())}
	if len(s.block.Ports) > 0 && !s.options.ClusterPorts {
		objects = append(objects, newObject(services, s.portsName(), s.published()))
	}
	if len(s.block.Expose) > 0 {
		objects = append(objects, newObject(ingresses, s.at.name, s.ingress()))
	}
	return objects
}

// portsName is the Service's that is reached by the nodes' addresses.
func (s *session) portsName() string { return s.at.name + "-ports" }

// inside is the Service by whose name others reach the replicas. Without any port that it could be about, it has no address
// of its own, and its name stands for those of the replicas, all of whose ports can be reached.
func (s *session) inside() corev1.Service {
	var ports []container.Port
	ports = append(ports, s.block.Ports...)
	for _, e := range s.block.Expose {
		ports = append(ports, container.Port{Container: e.Port, Protocol: container.TCP})
	}
	spec := corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: s.selected()}
	seen := map[string]bool{}
	for _, p := range ports {
		if key := p.Key(); !seen[key] {
			seen[key] = true
			spec.Ports = append(spec.Ports, servicePort(p))
		}
	}
	if len(seen) == 0 {
		spec.ClusterIP = corev1.ClusterIPNone
	}
	return corev1.Service{ObjectMeta: s.meta(s.at.service), Spec: spec}
}

// published is the Service that has a port on every node for each of the block's ports.
func (s *session) published() corev1.Service {
	spec := corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Selector: s.selected()}
	for _, p := range s.block.Ports {
		port := servicePort(p)
		port.NodePort = int32(p.Host) //nolint:gosec // a port
		spec.Ports = append(spec.Ports, port)
	}
	return corev1.Service{ObjectMeta: s.meta(s.portsName()), Spec: spec}
}

func servicePort(p container.Port) corev1.ServicePort {
	number := int32(p.Container) //nolint:gosec // a port
	return corev1.ServicePort{Name: fmt.Sprintf("%s-%d", p.Protocol, p.Container), Port: number, TargetPort: intstr.FromInt32(number),
		Protocol: corev1.Protocol(strings.ToUpper(p.Protocol))}
}

// ingress routes hosts and paths to the Service. Which certificate TLS has is the ingress controller's to know.
func (s *session) ingress() networkingv1.Ingress {
	i := networkingv1.Ingress{ObjectMeta: s.meta(s.at.name)}
	if s.options.IngressClass != "" {
		i.Spec.IngressClassName = &s.options.IngressClass
	}
	for _, e := range s.block.Expose {
		path := networkingv1.HTTPIngressPath{Path: e.Path, PathType: pointer(networkingv1.PathTypePrefix), Backend: networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: s.at.service, Port: networkingv1.ServiceBackendPort{Number: int32(e.Port)}}}} //nolint:gosec // a port
		if path.Path == "" {
			path.Path = "/"
		}
		i.Spec.Rules = append(i.Spec.Rules, networkingv1.IngressRule{Host: e.Host, IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{path}}}})
		if e.TLS {
			i.Spec.TLS = append(i.Spec.TLS, networkingv1.IngressTLS{Hosts: []string{e.Host}})
		}
	}
	return i
}
