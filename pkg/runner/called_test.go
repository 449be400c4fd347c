package runner

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestErrorsOfAMovedStepNameItAsPeopleDo(t *testing.T) {
	task := &event.Task{TaskRef: event.TaskRef{Step: "t.x.api"}, Address: `t.x.web["a"]`}
	err := fault.New(fault.GiveUp, fault.ExecutorFailed, "t.x.api of t.x.apis and t.x.api[0] of notes/t.x.api. t.x.api~2").With(fault.Diagnostic{Detail: "in t.x.api"})
	said := called(err, task)
	require.Equal(t, `t.x.web["a"] of t.x.apis and t.x.api[0] of notes/t.x.web["a"]. t.x.api~2`, said.Message)
	require.Equal(t, `in t.x.web["a"]`, said.Diagnostics[0].Detail)
	require.Equal(t, "in t.x.api", err.Diagnostics[0].Detail, "the error itself stays")
	require.Same(t, err, called(err, &event.Task{TaskRef: task.TaskRef}))
}
