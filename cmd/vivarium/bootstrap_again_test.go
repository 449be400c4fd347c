package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// mute is a bus that nobody answers on. It confirms what it is given, or does not.
type mute struct {
	bus.Bus  // the rest is not called
	confirms bool
}

func (m mute) Publish(ctx context.Context, _ ...bus.Message) error {
	if m.confirms {
		return nil
	}
	<-ctx.Done()
	return fault.Wrap(ctx.Err(), fault.Retry, fault.Unavailable, "the bus did not confirm in time")
}

func (m mute) Listen(context.Context, []bus.Address, func(*bus.Message)) (bus.Listener, error) {
	return m, nil
}

func (mute) Address() string { return "reply.here" }

func (mute) Stop(context.Context) error { return nil }

// TestABootstrapSaysThatTheSameCommandGoesOn, wherever that is what to do: above all when a command is neither confirmed nor answered.
func TestABootstrapSaysThatTheSameCommandGoesOn(t *testing.T) {
	x := &raising{f: bootstrapFlags{Work: "work"}}
	for _, confirms := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err := send(ctx, client.NewBus(mute{confirms: confirms}, "/test"), order{command: event.EnvironmentPlan, environment: "meta", data: []byte("{}")})
		cancel()
		require.Error(t, err)
		said := message(x.again(fmt.Errorf("the plan: %w", err)))
		require.Contains(t, said, event.EnvironmentPlan, "what was said stays")
		require.Contains(t, said, goesOn)
	}
	require.Contains(t, message(x.again(context.DeadlineExceeded)), goesOn)
	require.Contains(t, message(x.again(syscall.ENOSPC)), "make room for work, and "+goesOn)
	require.Contains(t, message(x.again(&fs.PathError{Op: "write", Path: "keys.json", Err: syscall.ENOSPC})), "make room for keys.json, and "+goesOn)
	for _, final := range []error{nil, context.Canceled, errors.New("no such thing"), fault.New(fault.Reject, fault.Invalid, "wrong"), fault.New(fault.GiveUp, fault.NotFound, "gone")} {
		require.Equal(t, final, x.again(final))
	}
}
