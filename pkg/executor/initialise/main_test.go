package initialise_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds the start of a server on a busy machine.
const patience = 25 * time.Minute

func box(t *testing.T) *secret.Box {
	t.Helper()
	b, err := secret.NewBox(make([]byte, secret.KeySize))
	require.NoError(t, err)
	return b
}

// startConsul starts a real one, which the test has for itself.
func startConsul(t *testing.T, o servers.ConsulOptions) *servers.Consul {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a real Consul")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := servers.StartConsul(ctx, t.TempDir(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Kill() })
	return c
}

// startVault starts a real one, which the test has for itself.
func startVault(t *testing.T, o servers.VaultOptions) *servers.Vault {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a real Vault")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	v, err := servers.StartVault(ctx, t.TempDir(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = v.Kill() })
	return v
}

// kind is the executor of one kind.
func kind(t *testing.T, o initialise.Options, name string) executor.Executor {
	t.Helper()
	b := box(t)
	o.Key = func() *secret.Box { return b }
	for _, e := range initialise.New(o) {
		if e.Kind().Name == name {
			return e
		}
	}
	t.Fatalf("no executor of the kind %s", name)
	return nil
}

func request(inputs string) executor.Request {
	log := &executortest.Log{}
	return executor.Request{TaskRef: event.TaskRef{Environment: "meta", Step: "meta.sample.it", Attempt: 1}, Inputs: json.RawMessage(inputs), Log: log.Add}
}

// perStep is for kinds that may be without a trace.
type perStep struct{ executortest.PerStep }

func (p perStep) Traceless() {}
