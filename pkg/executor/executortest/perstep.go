package executortest

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// PerStep is an executor that gives every step of every environment inputs of its own, where they say STEP: the suite's steps share
// theirs, and what they name has one owner. What an executor may be besides it is not.
type PerStep struct{ executor.Executor }

// Own is a request with 12 hexadecimal digits, as at the end of a UUID, in place of STEP. The two steps of the suite that want the same
// get the same.
func (PerStep) Own(r executor.Request) executor.Request {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.Environment + strings.TrimSuffix(r.Step, "-too")))
	r.Inputs = json.RawMessage(strings.ReplaceAll(string(r.Inputs), "STEP", fmt.Sprintf("%012x", h.Sum64()&0xffffffffffff)))
	return r
}

// Apply implements executor.Executor.
func (p PerStep) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	return p.Executor.Apply(ctx, p.Own(r))
}

// Destroy implements executor.Executor.
func (p PerStep) Destroy(ctx context.Context, r executor.Request) error {
	return p.Executor.Destroy(ctx, p.Own(r))
}

// Plan implements executor.Executor.
func (p PerStep) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	return p.Executor.Plan(ctx, p.Own(r), verb)
}

// Observe implements executor.Executor.
func (p PerStep) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	return p.Executor.Observe(ctx, p.Own(r))
}
