package initialise_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/secret"
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

// perStep gives every step of every environment inputs of its own, where they say STEP or a UUID's last part, UUIDPART: what
// they name in the server has one owner.
type perStep struct{ executor.Executor }

func (p perStep) own(r executor.Request) executor.Request {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.Environment + r.Step))
	n := fmt.Sprintf("%012x", h.Sum64()&0xffffffffffff)
	r.Inputs = json.RawMessage(strings.NewReplacer("STEP", n, "UUIDPART", n).Replace(string(r.Inputs)))
	return r
}

func (p perStep) Traceless() {}

func (p perStep) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	return p.Executor.Apply(ctx, p.own(r))
}

func (p perStep) Destroy(ctx context.Context, r executor.Request) error {
	return p.Executor.Destroy(ctx, p.own(r))
}

func (p perStep) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	return p.Executor.Plan(ctx, p.own(r), verb)
}

func (p perStep) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	return p.Executor.Observe(ctx, p.own(r))
}
