package kubernetes

import (
	"fmt"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// livenessFactor is how many times more failures in a row it takes to start a container anew than to leave it out of the
// Service: starting anew is the last resort.
const livenessFactor = 3

// annotationKeep is on claims that outlive their resource.
const annotationKeep = container.LabelPrefix + "keep"

// seconds is what Kubernetes counts in, at least one.
func seconds(d container.Duration) int32 {
	return int32(max(1, math.Ceil(time.Duration(d).Seconds()))) //nolint:gosec // no timeout is 68 years long
}

func (s *session) limits() corev1.ResourceList {
	limits := corev1.ResourceList{}
	if cpu := s.block.Limits.CPU; cpu > 0 {
		limits[corev1.ResourceCPU] = *resource.NewMilliQuantity(max(1, int64(math.Round(cpu*1000))), resource.DecimalSI)
	}
	if memory := int64(s.block.Limits.Memory); memory > 0 {
		limits[corev1.ResourceMemory] = *resource.NewQuantity(memory, resource.BinarySI)
	}
	return limits
}

// probe makes the health check decide who gets requests, and at last who is started anew. The start period is a probe of its
// own, which holds the others back until it has passed once.
func (s *session) probe(c *corev1.Container) {
	h := s.block.Health
	if h == nil {
		return
	}
	retries := int32(h.Retries) //nolint:gosec // at most 100
	c.ReadinessProbe, c.LivenessProbe = check(h, retries), check(h, retries*livenessFactor)
	if h.StartPeriod > 0 {
		tries := int32(math.Ceil(float64(h.StartPeriod) / float64(h.Interval))) //nolint:gosec // a small number
		c.StartupProbe = check(h, tries+retries)
	}
}

func check(h *container.Health, failures int32) *corev1.Probe {
	p := &corev1.Probe{PeriodSeconds: seconds(h.Interval), TimeoutSeconds: seconds(h.Timeout), FailureThreshold: failures}
	switch {
	case h.HTTP != nil:
		p.HTTPGet = &corev1.HTTPGetAction{Path: h.HTTP.Path, Port: intstr.FromInt(h.HTTP.Port)}
		if h.HTTP.TLS {
			p.HTTPGet.Scheme = corev1.URISchemeHTTPS
		}
	case h.TCP != nil:
		p.TCPSocket = &corev1.TCPSocketAction{Port: intstr.FromInt(h.TCP.Port)}
	default:
		words := make([]string, len(h.Command))
		for i, word := range h.Command {
			words[i] = literal(word)
		}
		p.Exec = &corev1.ExecAction{Command: words}
	}
	return p
}

// volumes are those of the pod, and where its container has them. Each file is mounted alone, so that what else the image
// has in its folder stays there.
func (s *session) volumes(data *contents) (volumes []corev1.Volume, mounts []corev1.VolumeMount) {
	const readable = 0o444
	add := func(name string, source corev1.VolumeSource) {
		volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: source})
	}
	if len(data.configMap) > 0 {
		add("files", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: data.configMapName}, DefaultMode: pointer[int32](readable)}})
	}
	if slices.ContainsFunc(data.files, func(f file) bool { return f.secret }) {
		add("secret-files", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: data.secretName, DefaultMode: pointer[int32](readable)}})
	}
	for _, f := range data.files {
		mount := corev1.VolumeMount{Name: "files", MountPath: f.path, SubPath: f.key, ReadOnly: true}
		if f.secret {
			mount.Name = "secret-files"
		}
		mounts = append(mounts, mount)
	}
	for i, v := range s.block.Volumes {
		name := fmt.Sprint("volume-", i)
		if v.HostPath != "" {
			add(name, corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: v.HostPath, Type: pointer(corev1.HostPathDirectoryOrCreate)}})
		} else {
			add(name, corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: s.claimName(v)}})
		}
		mounts = append(mounts, corev1.VolumeMount{Name: name, MountPath: v.Path, ReadOnly: v.ReadOnly})
	}
	return volumes, mounts
}

func (s *session) claimName(v container.Volume) string {
	slug := container.Slug(v.Name)
	if slug != v.Name {
		slug += "-" + short(v.Name)
	}
	return s.at.name + "-" + slug
}

// claimObjects are one for each named volume.
func (s *session) claimObjects() (objects []object) {
	seen := map[string]bool{}
	for _, v := range s.block.Volumes {
		name := s.claimName(v)
		if v.Name == "" || seen[name] {
			continue
		}
		seen[name] = true
		claim := corev1.PersistentVolumeClaim{ObjectMeta: s.meta(name), Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(s.options.VolumeSize)}},
		}}
		if v.Keep {
			claim.Annotations[annotationKeep] = "true"
		}
		if s.options.StorageClass != "" {
			claim.Spec.StorageClassName = &s.options.StorageClass
		}
		objects = append(objects, newObject(claims, name, claim))
	}
	return objects
}
