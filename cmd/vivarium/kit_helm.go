package main

import (
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/executor/container/kubernetes"
	"github.com/vivarium-env/vivarium/pkg/executor/helm"
)

// charts adds the executor of Helm's charts, wherever this runner's containers run: all it needs is a cluster.
func (k *kit) charts(cluster *kubernetes.Executor, here bool) {
	k.takes(here, helm.New(helm.Options{Cluster: cluster.Room(), CacheDir: filepath.Join(k.dir, "charts"), Log: k.log.With("executor", helm.Name)}))
}
