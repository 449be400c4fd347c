package docker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

func byName(replicas []event.ReplicaUsage) []event.ReplicaUsage {
	slices.SortFunc(replicas, func(a, b event.ReplicaUsage) int { return cmp.Compare(a.Name, b.Name) })
	return replicas
}

// Follow reads the logs of all containers of the step, and of those that are started while it does.
func (e *Executor) Follow(ctx context.Context, r executor.Request, since time.Time, line func(at time.Time, stream, line string)) error {
	w, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &follower{work: w, following: map[string]*reading{}, line: line}
	err = f.follow(ctx, since)
	cancel()
	f.readers.Wait()
	return err
}

// follower reads the logs of several containers into one line at a time.
type follower struct {
	*work
	readers sync.WaitGroup

	mu        sync.Mutex
	following map[string]*reading // by the ids of the containers whose logs are read

	taking sync.Mutex
	line   func(at time.Time, stream, line string)
}

// reading is how far the logs of a container have been read.
type reading struct {
	from time.Time
	// again: it was started once more; over: nobody reads. Both are under mu.
	again, over bool
}

func (f *follower) follow(ctx context.Context, since time.Time) error {
	// Events are asked for first: what starts meanwhile is in the list or among them.
	filter := client.Filters{}.Add("type", string(events.ContainerEventType)).Add("event", string(events.ActionStart)).
		Add("label", container.LabelEnvironment+"="+f.r.Environment, container.LabelStep+"="+f.r.Step)
	stream := f.docker.Events(ctx, client.EventsListOptions{Filters: filter})
	all, err := f.list(ctx)
	for _, c := range all {
		f.start(ctx, c.ID, since)
	}
	for err == nil {
		select {
		case m := <-stream.Messages:
			f.start(ctx, m.Actor.ID, since)
		case err = <-stream.Err:
			err = f.fault(ctx, err)
		case <-ctx.Done():
			return nil
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// start reads a container's logs. They end when the container does; when it is started again, they are read on from where they were.
func (f *follower) start(ctx context.Context, id string, since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.following[id]
	if r == nil {
		r = &reading{from: since, over: true}
		f.following[id] = r
	}
	if r.again = true; !r.over {
		return
	}
	r.over = false
	f.readers.Go(func() {
		for f.more(r) {
			f.readOn(ctx, id, r)
		}
	})
}

// more tells whether the container has been started since its logs were read to the end.
func (f *follower) more(r *reading) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	more := r.again
	if r.again = false; !more {
		r.over = true
	}
	return more
}

func (f *follower) readOn(ctx context.Context, id string, r *reading) {
	c, there, err := f.inspect(ctx, id)
	if err != nil || !there {
		return
	}
	options := client.ContainerLogsOptions{Follow: true, Timestamps: true}
	if !r.from.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", r.from.Unix(), r.from.Nanosecond())
	}
	_ = f.read(ctx, c, options, func(stream, line string) { // what ends it shows in the events too
		stamp, text, stamped := strings.Cut(line, " ")
		if at, err := time.Parse(time.RFC3339Nano, stamp); stamped && err == nil {
			line, r.from = text, at.Add(1)
		}
		f.taking.Lock()
		defer f.taking.Unlock()
		f.line(r.from.Add(-1), stream, replicas.Prefix(f.block, c)+line)
	})
}
