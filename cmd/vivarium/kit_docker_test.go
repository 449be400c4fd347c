package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/container/docker"
)

func TestDockerOptions(t *testing.T) {
	o, ok := dockerOptions(map[string]string{"DOCKER_HOST": "tcp://docker.example.test:2376", "DOCKER_CERT_PATH": "/certs", "DOCKER_TLS_VERIFY": "1"}, nil, nil)
	require.True(t, ok)
	require.Equal(t, "tcp://docker.example.test:2376", o.Host)
	require.Equal(t, &docker.TLS{CAFile: "/certs/ca.pem", CertFile: "/certs/cert.pem", KeyFile: "/certs/key.pem"}, o.TLS)
	o, _ = dockerOptions(map[string]string{"DOCKER_HOST": "unix:///run/docker.sock", "DOCKER_CERT_PATH": "/certs"}, nil, nil)
	require.True(t, o.TLS.Insecure, "as Docker's own tools take it")
	o, _ = dockerOptions(nil, nil, nil)
	require.Empty(t, o.Host)
}
