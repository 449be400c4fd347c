package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor/container/docker"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// dockerOptions reads the variables that Docker's own tools read. ok is false where none names an engine and none listens at
// the usual place: then this runner leaves containers to others.
func dockerOptions(variables map[string]string, key func() *secret.Box, log *slog.Logger) (o docker.Options, ok bool) {
	o = docker.Options{Host: variables["DOCKER_HOST"], Key: key, Log: log}
	if dir := variables["DOCKER_CERT_PATH"]; dir != "" {
		o.TLS = &docker.TLS{CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
			Insecure: variables["DOCKER_TLS_VERIFY"] == ""}
	}
	if o.Host != "" {
		return o, true
	}
	_, err := os.Stat(strings.TrimPrefix(docker.DefaultHost, "unix://"))
	return o, err == nil
}
