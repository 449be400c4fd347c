package noop_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestContract(t *testing.T) {
	executortest.Run(t, executortest.Suite{
		New:          func(*testing.T, string) executor.Executor { return noop.New() },
		Plain:        json.RawMessage(`{"inputs":{"a":[1,true,null]},"triggers":null}`),
		WithSecret:   json.RawMessage(`{"inputs":{"a":["` + executortest.Secret + `"]},"triggers":1}`),
		Other:        json.RawMessage(`{"inputs":{"a":[1,false,null]},"triggers":null}`),
		Partial:      &executortest.Partial{Inputs: json.RawMessage(`{"inputs":{"a":null},"triggers":null}`), Unknown: map[string][]string{"inputs.a": {"sample.noop.other"}}},
		Unobservable: true,
		Lacks: map[string]string{
			"Slow": "it is done at once", "Tamper": "it makes nothing that could be changed",
		},
	})
}

func TestInputsComeBack(t *testing.T) {
	outputs, err := noop.New().Apply(t.Context(), executor.Request{Inputs: json.RawMessage(`{"inputs":{"b":[1, "x"]}}`)})
	require.NoError(t, err)
	require.JSONEq(t, `{"b":[1,"x"]}`, string(outputs["inputs"].Value))
	require.JSONEq(t, `null`, string(outputs["triggers"].Value))
	require.False(t, outputs["inputs"].Sensitive)
}

func TestOnlyWhatHoldsASecretIsSensitive(t *testing.T) {
	outputs, err := noop.New().Apply(t.Context(), executor.Request{
		Inputs:  json.RawMessage(`{"inputs":{"n":[12345]},"triggers":"plain"}`),
		Secrets: []string{"12345"},
	})
	require.NoError(t, err)
	require.True(t, outputs["inputs"].Sensitive)
	require.False(t, outputs["triggers"].Sensitive)
}

func TestInputsThatAreNoObject(t *testing.T) {
	_, err := noop.New().Apply(t.Context(), executor.Request{Inputs: json.RawMessage(`[1,2]`)})
	require.Equal(t, fault.Invalid, fault.From(err).Code)
}

func TestCostsNextToNothing(t *testing.T) {
	e, ctx := noop.New(), t.Context()
	allocations := testing.AllocsPerRun(1000, func() {
		if _, err := e.Apply(ctx, executor.Request{}); err != nil {
			t.Error(err)
		}
	})
	require.LessOrEqual(t, allocations, 2.0, "one map of outputs and no more")
}
