package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// upTime bounds how long the service may take to be ready once it has its store; in a cluster, which waits longer and longer before it starts again
// what has ended, clusterUpTime.
const (
	upTime        = 2 * time.Minute
	clusterUpTime = 10 * time.Minute
)

func (x *raising) patience() time.Duration {
	if x.kube != nil {
		return clusterUpTime
	}
	return upTime
}

// handOver exports the store of the engine, which has ended, and has the service take it. A run that was killed in between finds out
// whether it did.
func (x *raising) handOver(ctx context.Context, out found) error {
	x.title("Handover")
	_, err := bootstrap.Ask(ctx, x.trusting(), out.API)
	if fault.Is(err, fault.NotFound) {
		return x.handedBefore(ctx, out)
	}
	if err != nil {
		return err
	}
	file := x.folder.Path("handover.vivarium")
	summary, err := x.export(ctx, x.folder.Path("data", "store.db"), file)
	if err != nil {
		return err
	}
	if err := x.folder.Note(func(p *bootstrap.Progress) { p.Handing, p.SHA256 = true, summary.SHA256 }); err != nil {
		return err
	}
	var handed bootstrap.Handed
	err = withFile(file, func(f *os.File) (err error) {
		handed, err = bootstrap.Send(ctx, x.trusting(), out.API, x.keys.box, summary.SHA256, f)
		return err
	})
	if err = errors.Join(err, os.Remove(file)); err != nil {
		return err
	}
	x.say("  The service has %d entries, %d states and %d templates, with the checksum that was sent: %s", handed.Entries, handed.States, handed.Templates, handed.SHA256)
	return x.folder.Note(func(p *bootstrap.Progress) { p.HandedOver = time.Now().UTC() })
}

// handedBefore is for a service that has a store: ours, when this folder has begun to hand it over and it is there.
func (x *raising) handedBefore(ctx context.Context, out found) error {
	if err := x.ready(ctx, out.API); err != nil {
		return err
	}
	_, err := x.client(out.API).Environment(ctx, bootstrap.Environment)
	if err != nil || !x.folder.Progress().Handing {
		return errors.Join(err, fault.New(fault.Reject, fault.Exists, "the service at %s has a store that is not this folder's: somebody else has bootstrapped there", out.API))
	}
	x.say("  The service has taken its store already.")
	return x.folder.Note(func(p *bootstrap.Progress) { p.HandedOver = time.Now().UTC() })
}

// export writes a store into a file of the work folder.
func (x *raising) export(ctx context.Context, from, to string) (sum backup.Summary, err error) {
	settings, err := x.engine("")
	if err != nil {
		return sum, err
	}
	o := backup.Export{Cluster: settings.PrimaryClusterName, Partitions: settings.Partitions, Program: version, Logs: true, Now: time.Now().UTC()}
	err = withSQLite(ctx, from, func(s store.Store) (err error) {
		if sum, err = exportTo(ctx, o, s, to); err != nil {
			return fault.Wrap(err, fault.GiveUp, fault.Unavailable, "the store can't be exported into the work folder: make room there, and run this again")
		}
		return nil
	})
	return sum, err
}

// ready waits for the service to take commands.
func (x *raising) ready(ctx context.Context, address string) error {
	limit, cancel := context.WithTimeout(ctx, x.patience())
	defer cancel()
	api := x.client(address)
	for {
		err := api.Ready(limit)
		if err == nil {
			return nil
		}
		if resilience.Pause(limit, 200*time.Millisecond) != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("the service at %s is not ready: %w", address, err))
		}
	}
}

// goOn is what the service does itself from now on: it is asked whether environment zero is as it should be, and to make the others.
func (x *raising) goOn(ctx context.Context) error {
	bus, err := x.found(ctx)
	if err != nil {
		return err
	}
	if err := x.mendBroker(ctx, bus); err != nil {
		return err
	}
	if err := x.wake(ctx); err != nil {
		return err
	}
	address := x.api()
	if err := x.ready(ctx, address); err != nil {
		return err
	}
	api := x.client(address).Patient(upTime)
	record, err := api.Environment(ctx, bootstrap.Environment)
	if err != nil {
		return err
	}
	x.title("The service")
	if err := x.compare(ctx, api, bus, record); err != nil {
		return err
	}
	var failed []string
	for _, d := range x.definitions {
		if err := x.createFurther(ctx, api, bus, d); err != nil {
			x.report(err)
			failed = append(failed, d.Name)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	x.done(ctx, api, record)
	if len(failed) > 0 {
		return fmt.Errorf("%d environments are not deployed: %v; see to them with `vivarium env show`, and run this again or create them yourself", len(failed), failed)
	}
	return nil
}

// createFurther has one environment created, unless it is there.
func (x *raising) createFurther(ctx context.Context, api *client.API, bus string, d bootstrap.Definition) error {
	record, err := api.Environment(ctx, d.Name)
	o := order{command: event.EnvironmentCreate, environment: d.Name, want: environment.Deployed}
	switch {
	case err == nil && record.Status == environment.Deployed:
		x.say("  %s is deployed already.", d.Name)
		return nil
	case err == nil && record.Status == environment.Failed:
		o.command, o.data = event.EnvironmentRetry, json.RawMessage("{}")
	case err == nil && !record.Status.Settled():
		record, err = x.watch(ctx, api, d.Name, "", x.out)
		if err != nil {
			return err
		}
		return x.ended(o, record)
	case err != nil && !fault.Is(err, fault.NotFound):
		return err
	default:
		if o.data, err = json.Marshal(d.Create); err != nil {
			return err
		}
	}
	x.title(d.Name)
	answer, err := x.on(bus).send(ctx, o)
	if err != nil {
		return fmt.Errorf("the environment %s: %w", d.Name, err)
	}
	if record, err = x.waitFor(ctx, api, o, answer.Operation, x.out); err != nil {
		return err
	}
	return x.ended(o, record)
}

// done says where everything is.
func (x *raising) done(ctx context.Context, api *client.API, zero environment.Record) {
	list, err := api.Environments(ctx, client.Filter{})
	if err != nil {
		x.report(err)
		return
	}
	x.title("Environments")
	for _, r := range list.Items {
		x.say("  %-20s %s", r.Name, r.Status)
	}
	x.title("Where")
	for _, e := range zero.Entrypoints {
		x.say("  %-20s %s", e.Name, e.URL)
	}
	if roots := x.roots(); roots != "" {
		x.say("\nTheir certificates are checked with\n  %s", roots)
	}
	x.say("\nNext:\n  %s\n  %s bootstrap --work %s --keys FILE --destroy", x.hint("env", "list"), x.program, x.f.Work)
}
