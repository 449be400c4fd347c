package main

import (
	"log/slog"
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/executor/container/kubernetes"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// insideCluster is the setting of ports that no node has.
const insideCluster = "cluster"

// kubernetesOptions reads the variable that Kubernetes' own tools read; a pod has its service account without one. ok is false
// where this process is in no pod and nothing names a cluster.
func kubernetesOptions(variables map[string]string, settings config.Kubernetes, key func() *secret.Box, log *slog.Logger) (o kubernetes.Options, ok bool) {
	o = kubernetes.Options{
		Context: settings.Context, Namespace: settings.Namespace, Pending: settings.Pending, ClusterPorts: settings.Ports == insideCluster, IngressClass: settings.IngressClass, StorageClass: settings.StorageClass,
		VolumeSize: settings.VolumeSize, Box: key, Log: log,
	}
	o.Kubeconfig = namedKubeconfigs(variables)
	return o, len(o.Kubeconfig) > 0 || variables["KUBERNETES_SERVICE_HOST"] != ""
}

// namedKubeconfigs are the files that KUBECONFIG names.
func namedKubeconfigs(variables map[string]string) (files []string) {
	for _, file := range filepath.SplitList(variables["KUBECONFIG"]) {
		if file != "" {
			files = append(files, file)
		}
	}
	return files
}
