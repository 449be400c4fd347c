package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// frameTime is how long a drawing of the live tree stands.
const frameTime = 100 * time.Millisecond

// watcher brings a tree forward by the journal until the operation is over.
type watcher struct {
	api       *client.API
	tree      *tree
	shower    shower
	operation string // that has to end; empty: the one under way
	// whole shows the operation from its first entry on, where every change gets a line of its own.
	whole  bool
	record environment.Record
}

// watch shows an environment to w until the operation is over (the one under way when it is not named), and returns
// how it then stands.
func (c *cli) watch(ctx context.Context, api *client.API, name, operation string, w io.Writer) (environment.Record, error) {
	x := &watcher{api: api, tree: newTree(name), shower: c.newShower(w), operation: operation}
	_, live := x.shower.(*painter)
	x.whole = !live && operation != ""
	if err := x.read(ctx); err != nil {
		return environment.Record{}, err
	}
	if x.operation == "" {
		x.operation = x.record.Operation
	}
	if x.whole || !x.over() {
		if err := x.follow(ctx); err != nil {
			return x.record, err
		}
		if err := x.read(ctx); err != nil {
			return x.record, err
		}
	}
	x.shower.end(x.tree, time.Now())
	return x.record, nil
}

// read takes over what the API has: the environment first, so that what the journal has after its revision covers
// everything that the rest may already show.
func (x *watcher) read(ctx context.Context) error {
	record, err := x.api.Environment(ctx, x.tree.name)
	if err != nil {
		return err
	}
	resources, err := x.api.Resources(ctx, x.tree.name)
	if err != nil {
		return err
	}
	operations, err := x.api.Operations(ctx, x.tree.name)
	if err != nil {
		return err
	}
	x.record = record
	x.tree.load(record, resources)
	for _, o := range operations {
		if o.ID == record.Operation {
			x.tree.begin(o)
		}
	}
	return nil
}

// over tells whether the operation has ended: nothing is under way, or already something else.
func (x *watcher) over() bool {
	return x.record.Status.Settled() || (x.operation != "" && x.record.Operation != x.operation)
}

// after is the sequence behind which the journal is followed.
func (x *watcher) after() uint64 {
	if x.whole {
		return 0
	}
	return x.record.Revision
}

// errOver ends the following of the journal.
var errOver = errors.New("over")

func (x *watcher) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	entries := make(chan store.Entry)
	ended := make(chan error, 1)
	go func() {
		ended <- x.api.FollowJournal(ctx, x.tree.name, x.after(), func(e store.Entry) error {
			select {
			case entries <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	err := x.loop(ctx, entries, ended)
	cancel()
	if !errors.Is(err, errOver) {
		return err
	}
	<-ended // the end that cancel has brought about
	return nil
}

func (x *watcher) loop(ctx context.Context, entries <-chan store.Entry, ended chan error) error {
	frame := time.NewTicker(frameTime)
	defer frame.Stop()
	x.shower.tick(x.tree, time.Now())
	for {
		select {
		case e := <-entries:
			if err := x.take(ctx, e); err != nil {
				return err
			}
		case now := <-frame.C:
			x.shower.tick(x.tree, now)
		case err := <-ended:
			if err == nil {
				err = fmt.Errorf("the journal of %s ended before the operation did", x.tree.name)
			}
			return err
		}
	}
}

func (x *watcher) take(ctx context.Context, e store.Entry) error {
	if x.whole && e.Operation != x.operation {
		return nil
	}
	l, err := x.tree.apply(e)
	if err != nil {
		return err
	}
	now := time.Now()
	if x.tree.stale {
		status := x.tree.status
		if err := x.read(ctx); err != nil {
			return err
		}
		if x.whole { // what was read is ahead of the entries, each of which gets its line
			x.tree.status, x.tree.until = status, time.Time{}
		}
	}
	x.shower.changed(x.tree, l, now)
	if e.Type == (environment.Finished{}).Type() && (x.operation == "" || e.Operation == x.operation) {
		return errOver
	}
	return nil
}
