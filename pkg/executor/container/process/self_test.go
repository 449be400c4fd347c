package process

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// asItself is the executor of a runner that is the step's replica.
func (b *bed) asItself() *bed {
	other := *b
	o := b.options
	o.Self = b.all()[0].ID
	other.Executor = New(o)
	return &other
}

// TestARunnerReplacesItself: it starts the new one, says that this one is to go on, and ends; it waits for nothing that waits for it.
func TestARunnerReplacesItself(t *testing.T) {
	b := newBed(t, `{"image":"app","env":{"PORT":"0","VERSION":"1"}}`)
	b.apply()
	old := b.all()[0]
	self := b.asItself()
	self.apply() // nothing to do is no harm
	self.inputs(`{"image":"app","env":{"PORT":"0","VERSION":"2"}}`)
	f := self.fails(fault.Busy, "the new one goes on")
	require.Equal(t, fault.Retry, f.Disposition)
	eventually(t, func() bool { _, alive, err := supervisor.Look(old.folder); return err == nil && !alive })
	require.Len(t, b.all(), 2)
	b.inputs(`{"image":"app","env":{"PORT":"0","VERSION":"2"}}`)
	b.apply() // by the new one
	require.Len(t, b.all(), 1)
	require.NotEqual(t, old.ID, b.all()[0].ID)
	require.False(t, b.observe().Drifted)
}

// TestARunnerCanNotEndItself where nobody would go on.
func TestARunnerCanNotEndItself(t *testing.T) {
	port := freePort(t)
	b := newBed(t, serving(port, "", ""))
	b.apply()
	self := b.asItself()
	self.inputs(serving(port, `,"VERSION":"2"`, ""))
	require.Equal(t, event.ChangeReplace, self.plan().Change)
	self.fails(fault.Conflict, "let a runner that is none of its replicas")
	require.True(t, fault.Is(self.Destroy(t.Context(), self.request), fault.Conflict))
	require.False(t, b.observe().Drifted, "it goes on as it was")
}
