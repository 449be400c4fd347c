package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	// hereTime bounds how long the broker may take to answer at all: one that is not there is somebody else's trouble.
	hereTime = 3 * time.Second
	// trialTime bounds how long it may take to store a message: RabbitMQ looks at its disk every ten seconds at least, and takes nothing while there is no room.
	trialTime = 20 * time.Second
)

// mendBroker starts the service's broker anew where that answers and stores nothing, as after its disk was full. The service can't be asked to: its commands
// come by the broker, and it does not start without.
func (x *raising) mendBroker(ctx context.Context, bus string) error {
	if there, err := x.stores(ctx, bus); !there || err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	x.title("The broker answers, and stores no message: it is started anew")
	if err := x.restartBroker(ctx); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, x.patience())
	defer cancel()
	for {
		there, err := x.stores(limit, bus)
		if there && err == nil {
			return nil
		}
		if resilience.Pause(limit, time.Second) != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fault.Wrap(err, fault.Wait, fault.Unavailable, "the broker stores no message, although it was started anew: see that there is room on its disk")
		}
	}
}

// stores tells whether a bus answers, and where it does the error is that it stores nothing. One that can't be asked counts as well.
func (x *raising) stores(ctx context.Context, address string) (there bool, err error) {
	here, cancel := context.WithTimeout(ctx, hereTime)
	defer cancel()
	b, err := x.on(address).open(here)
	if err != nil {
		return false, err
	}
	defer func() { _ = closeWithin(b) }() // what it was asked for is known
	trial, can := b.(interface{ Stores(context.Context) error })
	if !can {
		return true, nil
	}
	limit, cancelTrial := context.WithTimeout(ctx, trialTime)
	defer cancelTrial()
	if err = trial.Stores(limit); fault.Is(err, fault.Invalid) {
		err = nil // whoever the address names may not try
	}
	return true, err
}

// restartBroker starts anew what the broker of environment zero runs in.
func (x *raising) restartBroker(ctx context.Context) error {
	containers, err := x.brokers(ctx)
	if err != nil {
		return err
	}
	if len(containers) == 0 {
		return fault.New(fault.Reject, fault.Unavailable, "environment zero has the broker in no container of its own: start it anew by hand, and run this again")
	}
	settings, err := x.engine(x.folder.Path("revive"))
	if err != nil {
		return err
	}
	for _, e := range newKit(ctx, settings, "bootstrap", settings.DataDir, x.placed(x.variables), x.making(), slog.New(slog.DiscardHandler)).executors {
		r, can := e.(executor.Restarter)
		if e.Kind().Name != container.Name || !can {
			continue
		}
		for _, c := range containers {
			ref := event.TaskRef{Environment: bootstrap.Environment, Step: c.ID()}
			if err := r.Restart(ctx, executor.Request{TaskRef: ref, Log: func(string, string) {}, Progress: func(event.Progress) {}}); err != nil {
				return fmt.Errorf("the broker can't be started anew: %w", err)
			}
		}
	}
	return nil
}

// brokers are the containers that something is made ready in as a broker.
func (x *raising) brokers(ctx context.Context) (all []environment.ResourceRecord, err error) {
	err = x.withStore(ctx, func(s store.Store) error {
		resources, _, err := s.Resources(ctx, bootstrap.Environment, store.Page{Limit: -1})
		for _, r := range resources {
			if r.Executor == container.Name && slices.ContainsFunc(resources, putsInto(r.Address, initialise.RabbitName)) {
				all = append(all, r)
			}
		}
		return err
	})
	return all, err
}
