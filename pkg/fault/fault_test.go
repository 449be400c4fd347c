package fault

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFromKeepsWhatIsThereAndRevealsNothing(t *testing.T) {
	require.Nil(t, From(nil))
	inner := New(GiveUp, NotFound, "no %s", "door")
	require.Same(t, inner, From(fmt.Errorf("wrapped: %w", inner)))
	require.Equal(t, Timeout, From(context.DeadlineExceeded).Code)
	require.Equal(t, Cancelled, From(fmt.Errorf("x: %w", context.Canceled)).Code)
	hidden := From(errors.New("password is hunter2"))
	require.Equal(t, Internal, hidden.Code)
	require.NotContains(t, hidden.Message, "hunter2")
	require.ErrorContains(t, hidden, "hunter2", "the log of the process may say it")
}

func TestWithLeavesTheOriginalAlone(t *testing.T) {
	e := New(Reject, Invalid, "x")
	two := e.With(Diagnostic{Summary: "a"}).With(Diagnostic{Summary: "b"})
	require.Empty(t, e.Diagnostics)
	require.Len(t, two.Diagnostics, 2)
}
