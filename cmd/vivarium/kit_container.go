package main

import (
	"github.com/vivarium-env/vivarium/pkg/executor/container/docker"
	"github.com/vivarium-env/vivarium/pkg/executor/container/kubernetes"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// Targets of containers, as the setting names them.
const (
	onDocker     = "docker"
	onKubernetes = "kubernetes"
	onProcess    = "process"
)

// containers adds the executor of the one target that this runner has.
func (k *kit) containers(variables map[string]string) {
	key := func() *secret.Box { return k.box() }
	engine, haveDocker := dockerOptions(variables, key, k.log.With("executor", onDocker))
	cluster, haveCluster := kubernetesOptions(variables, k.settings.Kubernetes, key, k.log.With("executor", onKubernetes))
	target, here := containerTarget(k.settings.Container.Target, haveDocker, haveCluster)
	onCluster := kubernetes.New(cluster)
	k.charts(onCluster, haveCluster)
	switch target {
	case onKubernetes:
		k.takes(here, onCluster)
	case onProcess:
		k.takes(here, process.New(processOptions(variables, k.settings, key, k.log.With("executor", onProcess))))
	default:
		k.takes(here, docker.New(engine))
	}
}

// containerTarget chooses where this runner runs containers: where it was told to, or else where it can, Docker first; ok is
// false where it can't.
func containerTarget(asked string, docker, kubernetes bool) (target string, ok bool) {
	switch {
	case asked != "":
		return asked, true // what is missing there is said by the steps that need it
	case kubernetes && !docker:
		return onKubernetes, true
	}
	return onDocker, docker
}
