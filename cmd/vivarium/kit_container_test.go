package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/config"
)

func TestContainerTarget(t *testing.T) {
	for _, c := range []struct {
		asked              string
		docker, kubernetes bool
		target             string
		ok                 bool
	}{
		{"", true, true, onDocker, true},
		{"", true, false, onDocker, true},
		{"", false, true, onKubernetes, true},
		{"", false, false, onDocker, false},
		{onKubernetes, true, false, onKubernetes, true},
		{onDocker, false, true, onDocker, true},
		{onProcess, true, true, onProcess, true},
	} {
		target, ok := containerTarget(c.asked, c.docker, c.kubernetes)
		require.Equal(t, c.target, target, "%+v", c)
		require.Equal(t, c.ok, ok, "%+v", c)
	}
}

func TestKubernetesOptions(t *testing.T) {
	o, ok := kubernetesOptions(map[string]string{"KUBECONFIG": "a:b"}, config.Kubernetes{Context: "c", Namespace: "n"}, nil, nil)
	require.True(t, ok)
	require.Equal(t, []string{"a", "b"}, o.Kubeconfig)
	require.Equal(t, "c", o.Context)
	_, ok = kubernetesOptions(map[string]string{"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, config.Kubernetes{}, nil, nil)
	require.True(t, ok, "in a pod")
	_, ok = kubernetesOptions(nil, config.Kubernetes{}, nil, nil)
	require.False(t, ok)
}
