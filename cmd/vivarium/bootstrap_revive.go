package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// silence is how long nothing may answer where the service was before it counts as gone.
const silence = 10 * time.Second

// wake has the service answer, and Vault unsealed. After a restart of the machine no process is there: nobody but who has the keys
// can start them, since their secrets are on no disk.
func (x *raising) wake(ctx context.Context) error {
	address := x.api()
	if x.kube != nil { // which starts again what is gone
		opening := x.unsealing(ctx)
		err := x.ready(ctx, address)
		if opening(); err != nil {
			return err
		}
		return initialise.Unseal(ctx, x.making())
	}
	limit, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	api := x.client(address)
	for api.Ready(limit) != nil {
		if locked(filepath.Dir(x.storeFile())) {
			break // a server is there, and may take its time
		}
		if x.mayComeBack() && resilience.Pause(limit, time.Second) == nil {
			continue
		}
		if err := errors.Join(ctx.Err(), x.revive(ctx)); err != nil {
			return err
		}
		break
	}
	return x.unseal(ctx)
}

// mayComeBack is false where nobody is there who could start the service again. Docker does by itself.
func (x *raising) mayComeBack() bool {
	if x.f.Location != onProcesses {
		return true
	}
	supervised, err := process.Supervised(x.site())
	return supervised || err != nil
}

// unseal waits for a Vault that is coming up: a server that is there may be waiting for it, too.
func (x *raising) unseal(ctx context.Context) error {
	limit, cancel := context.WithTimeout(ctx, upTime)
	defer cancel()
	for {
		err := initialise.Unseal(limit, x.making())
		if !fault.Is(err, fault.Unavailable) || resilience.Pause(limit, time.Second) != nil {
			return err
		}
	}
}

// revive starts again what of environment zero is gone, by an engine that works on a copy of the service's store. What it notes
// there is not kept: the service goes on with its own, and finds everything as it left it.
func (x *raising) revive(ctx context.Context) (err error) {
	x.title("Nothing answers where the service was: what is gone of environment zero is started again")
	dir := x.folder.Path("revive")
	if _, err := x.copyStore(ctx, dir); err != nil {
		return err
	}
	err = x.with(ctx, dir, func(ctx context.Context, s *instance) error {
		opening := x.unsealing(ctx)
		defer opening()
		return x.heal(ctx, s)
	})
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w; what is stored below %s is not made anew, since the service has put things into it: where it is broken, restore it, or destroy all with --destroy",
			err, filepath.Join(x.site(), "volumes"))
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// unsealing unseals Vault as soon as it answers, until end is called: the service, which is started after it, takes the broker's
// credentials from there.
func (x *raising) unsealing(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for ctx.Err() == nil && initialise.Unseal(ctx, x.making()) != nil {
			_ = resilience.Pause(ctx, time.Second)
		}
	}()
	return func() { cancel(); <-over }
}

// heal looks at the processes alone: what is within servers can't be asked while they are gone, and is still in their storage.
func (x *raising) heal(ctx context.Context, s *instance) error {
	record, err := s.client().Environment(ctx, bootstrap.Environment)
	if err != nil {
		return err
	}
	if record.Status != environment.Deployed {
		return x.deploy(ctx, s) // it was cut off in something, which goes on
	}
	resources, err := s.client().Resources(ctx, bootstrap.Environment)
	if err != nil {
		return err
	}
	var look event.Check
	for _, r := range resources {
		if r.Executor == container.Name { // its type is that of all resources
			look.Resources = append(look.Resources, r.Address)
		}
	}
	if err := x.order(ctx, s, event.EnvironmentCheck, look, environment.Deployed); err != nil {
		return err
	}
	return x.order(ctx, s, event.EnvironmentUpdate, event.Update{Heal: true}, environment.Deployed)
}
