package servers

import (
	"context"
	"os"
	"testing"
	"time"
)

var sharedKubernetes = sharedServer[*Kubernetes]{title: "Kubernetes", prefix: "vivarium-kubernetes-", patience: 40 * time.Minute,
	start: func(ctx context.Context, dir string) (*Kubernetes, error) {
		if err := InstallKubernetes(ctx, os.Stderr); err != nil {
			return nil, err
		}
		return StartKubernetes(ctx, dir)
	}}

// SharedKubernetes is the one cluster of this test process, started (and built and, by root on Debian, installed, where it
// never was) when it is first asked for. A package that uses it has TestMain call Main, which stops it. A test that cuts it off mends it.
func SharedKubernetes(t testing.TB) *Kubernetes {
	t.Helper()
	return sharedKubernetes.get(t)
}

// StopSharedKubernetes ends the cluster of SharedKubernetes and removes its data; it does no harm when there is none.
func StopSharedKubernetes() { sharedKubernetes.stop() }
