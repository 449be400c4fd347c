package orchestrator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// lost waits until a command that was accepted is rejected, and returns why.
func (r *rig) lost(name, command string) *fault.Error {
	r.Helper()
	var why *fault.Error
	require.Eventually(r, func() bool {
		for _, e := range r.journal(name) {
			if e.Type == (environment.CommandRejected{}).Type() && e.Causation == command {
				body, err := environment.DecodeBody(e.Type, e.Data)
				require.NoError(r, err)
				why = body.(environment.CommandRejected).Error
			}
		}
		return why != nil
	}, patience, 5*time.Millisecond)
	return why
}

func TestUpdateWaitsForWhatIsUnderWay(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	_, stop := r.start()
	queued := func(name string, data any) event.Answer {
		a := r.command(name, "here", data)
		require.True(t, a.Accepted && a.Queued && a.Operation == "", "%+v", a)
		return a
	}
	// There is no runner, so the create stays under way.
	require.True(t, r.command(event.EnvironmentCreate, "here", event.Create{Templates: []string{"city"}}).Accepted)
	refused := r.command(event.EnvironmentUpdate, "here", event.Update{Parameters: params("name", `"bonn"`)})
	require.False(t, refused.Accepted)
	require.Equal(t, fault.Busy, refused.Error.Code)
	r.refused(fault.Invalid, event.EnvironmentUpdate, "here", event.Update{WhenBusy: "perhaps"})
	require.False(t, r.command(event.EnvironmentUpdate, "here", event.Update{WhenBusy: event.QueueWhenBusy, Parameters: params("nobody", `1`)}).Accepted, "what is wrong is said at once")
	require.False(t, r.command(event.EnvironmentCancel, "here", event.Cancel{Queued: true}).Accepted)

	destroy := queued(event.EnvironmentDestroy, event.Destroy{WhenBusy: event.QueueWhenBusy})
	update := queued(event.EnvironmentUpdate, event.Update{WhenBusy: event.QueueWhenBusy, Parameters: params("name", `"bonn"`, "token", `"a-new-secret-word"`)})
	require.Equal(t, fault.Cancelled, r.lost("here", destroy.CommandID).Code)
	record, err := r.store.Environment(t.Context(), "here")
	require.NoError(t, err)
	require.Equal(t, update.CommandID, record.Queued.CommandID)
	require.Nil(t, record.Queued.Data)
	for _, e := range r.journal("here") {
		require.NotContains(t, string(e.Data), "a-new-secret-word")
	}

	stop() // what waits is in the journal
	r.start()
	r.runner("default")
	require.Eventually(t, func() bool {
		ops, _, err := r.store.Operations(t.Context(), "here", store.Page{})
		return err == nil && ops[0].CommandID == update.CommandID && ops[0].FinishedAt != nil
	}, patience, 5*time.Millisecond)
	record = r.await("here", environment.Deployed)
	require.JSONEq(t, `"bonn"`, string(record.Parameters["name"]))
	require.Nil(t, record.Queued)
	require.NotEmpty(t, record.Parameters["token"])
}

func TestWhatWaitsIsDroppedAndRefusedWhenItBegins(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	r.start()
	require.True(t, r.command(event.EnvironmentCreate, "here", event.Create{Templates: []string{"city"}}).Accepted)
	u := event.Update{WhenBusy: event.QueueWhenBusy, Parameters: params("name", `"bonn"`)}
	dropped := r.command(event.EnvironmentUpdate, "here", u)
	require.True(t, r.command(event.EnvironmentCancel, "here", event.Cancel{Queued: true, Reason: "not today"}).Accepted)
	require.Contains(t, r.lost("here", dropped.CommandID).Message, "not today")

	waits := r.command(event.EnvironmentUpdate, "here", u)
	require.True(t, waits.Queued)
	require.True(t, r.command(event.EnvironmentLock, "here", event.Lock{Reason: "holidays"}).Accepted)
	r.runner("default")
	require.Equal(t, fault.Locked, r.lost("here", waits.CommandID).Code)
	record := r.await("here", environment.Deployed)
	require.Nil(t, record.Queued)
	require.JSONEq(t, `"ulm"`, string(record.Parameters["name"]))
}

// TestWhatWaitsIsNotPublished: what a command that waits asks for stays in the journal.
func TestWhatWaitsIsNotPublished(t *testing.T) {
	r := newRig(t)
	r.city("1.0.0", "ulm", "")
	r.start()
	// There is no runner, so the create stays under way.
	require.True(t, r.command(event.EnvironmentCreate, "here", event.Create{Templates: []string{"city"}}).Accepted)
	require.True(t, r.command(event.EnvironmentUpdate, "here", event.Update{WhenBusy: event.QueueWhenBusy, Parameters: params("name", `"bonn"`)}).Queued)
	for timeout := time.After(patience); ; {
		select {
		case e := <-r.events:
			if e.Type != event.TypeOf(environment.CommandQueued{}.Type()) {
				continue
			}
			require.NotContains(t, string(e.Data), "bonn")
			return
		case <-timeout:
			t.Fatal("the event did not come")
		}
	}
}
