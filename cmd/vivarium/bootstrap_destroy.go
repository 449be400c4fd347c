package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// destroy takes down what was raised. A service that was handed its store can't destroy itself to the end, so its journal is
// taken back first, and the engine of the work folder does it.
func (x *raising) destroy(ctx context.Context) error {
	x.meta = x.folder.Path("shipped")
	if err := writeShipped(x.meta, "."); err != nil {
		return err
	}
	dir := x.folder.Path("data")
	if p := x.folder.Progress(); p.Handing || !p.HandedOver.IsZero() {
		if err := x.takeBack(ctx); err != nil {
			return err
		}
		dir = x.folder.Path("return")
	}
	x.title("Destroying environment zero")
	if err := x.with(ctx, dir, func(ctx context.Context, s *instance) error { return x.takeDown(ctx, s) }); err != nil {
		return err
	}
	if err := errors.Join(x.unpacks(ctx), x.release(ctx)); err != nil {
		return err
	}
	if err := x.folder.Remove(); err != nil {
		return err
	}
	x.say("\nNothing is left; the file of the keys is yours to remove.")
	return nil
}

func (x *raising) takeDown(ctx context.Context, s *instance) error {
	record, err := s.client().Environment(ctx, bootstrap.Environment)
	if fault.Is(err, fault.NotFound) || err == nil && (record.Status == environment.Destroyed || record.Status == environment.Planned) {
		x.say("There is none.")
		return nil
	}
	if err != nil {
		return err
	}
	if record.Status == environment.Destroying {
		if record, err = x.watch(ctx, s.client(), bootstrap.Environment, "", x.out); err != nil || record.Status == environment.Destroyed {
			return err
		}
	}
	if !record.Status.Settled() {
		if err := x.cancelled(ctx, s); err != nil {
			return err
		}
	}
	return x.order(ctx, s, event.EnvironmentDestroy, event.Destroy{}, environment.Destroyed)
}

// cancelled ends what an earlier run had begun.
func (x *raising) cancelled(ctx context.Context, s *instance) error {
	x.say("What was under way is cancelled first.")
	o := order{command: event.EnvironmentCancel, environment: bootstrap.Environment, data: []byte("{}")}
	if _, err := x.on(s.busURL).send(ctx, o); err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	_, err := x.watch(ctx, s.client(), bootstrap.Environment, "", x.out)
	return err
}

// takeBack imports what the service has into a folder of its own, once nothing stands in it but environment zero. It is
// done once: what was taken back may be half destroyed already.
func (x *raising) takeBack(ctx context.Context) error {
	dir := x.folder.Path("return")
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	x.title("Taking the store back from the service")
	next := x.folder.Path("return.new")
	summary, err := x.copyStore(ctx, next)
	if err != nil {
		return err
	}
	if err := x.alone(ctx, next); err != nil {
		return errors.Join(err, os.RemoveAll(next))
	}
	x.say("  %d entries, checksum %s", summary.Entries, summary.SHA256)
	return os.Rename(next, dir)
}

// copyStore has what the service's store holds in a folder of an engine; the service may go on meanwhile.
func (x *raising) copyStore(ctx context.Context, dir string) (sum backup.Summary, err error) {
	settings, err := x.engine(dir)
	if err != nil {
		return sum, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return sum, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return sum, err
	}
	file := dir + ".vivarium"
	if sum, err = x.fetchStore(ctx, file); err != nil {
		return sum, err
	}
	return sum, errors.Join(x.importInto(ctx, settings, file, dir), os.Remove(file))
}

// fetchStore has an export of the service's store in a file: by the service itself where it is in a cluster, or else from its folder, which is
// there also when the service is not.
func (x *raising) fetchStore(ctx context.Context, file string) (sum backup.Summary, err error) {
	if x.kube != nil {
		address := x.api()
		if err := x.ready(ctx, address); err != nil {
			return sum, fault.Wrap(err, fault.GiveUp, fault.Unavailable, "the service does not answer, and it alone can give its store back: see why its pods in the namespace %s "+
				"do not run, and run this again; where it is lost for good, remove that namespace and %s by hand", x.kube.Namespace(), x.f.Work)
		}
		return bootstrap.TakeBack(ctx, x.trusting(), address, x.keys.box, file)
	}
	from, err := x.serviceStore()
	if err != nil {
		return sum, err
	}
	return x.export(ctx, from, file)
}

func (x *raising) importInto(ctx context.Context, settings config.Settings, file, dir string) error {
	return withSQLite(ctx, filepath.Join(dir, "store.db"), func(s store.Store) error {
		return withFile(file, func(f *os.File) error {
			_, err := backup.Import{Partitions: settings.Partitions}.Read(ctx, f, s)
			return err
		})
	})
}

func (x *raising) storeFile() string {
	return filepath.Join(x.site(), "volumes", "service", "data", "store.db")
}

// serviceStore is where the service keeps its store.
func (x *raising) serviceStore() (string, error) {
	file := x.storeFile()
	if _, err := os.Stat(file); err != nil {
		return "", fault.Wrap(err, fault.GiveUp, fault.NotFound, "the service's store is not where it was put; what is left at %s has to be ended and removed by hand", x.site())
	}
	return file, nil
}

// alone refuses while the service has other environments, which would be left behind.
func (x *raising) alone(ctx context.Context, dir string) error {
	var others []string
	err := withSQLite(ctx, filepath.Join(dir, "store.db"), func(s store.Store) (err error) {
		others, err = besidesZero(ctx, s)
		return err
	})
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return fault.New(fault.Reject, fault.Consumed, "the service has further environments, which would be left behind: %s; destroy them first (%s)",
			strings.Join(others, ", "), x.hint("env", "destroy", "NAME"))
	}
	return nil
}

// besidesZero are the environments that are there.
func besidesZero(ctx context.Context, s store.Store) (names []string, err error) {
	for f := (store.Filter{}); ; {
		list, next, err := s.Environments(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			if r.Name != bootstrap.Environment && r.Status != environment.Destroyed && r.Status != environment.Planned {
				names = append(names, r.Name)
			}
		}
		if f.Cursor = next; next == "" {
			return names, nil
		}
	}
}
