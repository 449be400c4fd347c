package process

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	// measured is over how long processor time is measured.
	measured = time.Second
	// ticks of processor time in a second, which the kernel has the same everywhere.
	ticks = 100
	// followEvery is how often is looked for new lines, and at every lookEvery-th time for other replicas.
	followEvery = 250 * time.Millisecond
	lookEvery   = 4
)

// Usage measures all replicas at once; it takes a second. What goes through the network is the machine's, and not told apart.
func (e *Executor) Usage(ctx context.Context, r executor.Request) (event.Usage, error) {
	w, err := e.begin(ctx, r)
	if err != nil {
		return event.Usage{}, err
	}
	all, err := w.list()
	if err != nil || len(all) == 0 {
		return event.Usage{Time: time.Now().UTC()}, err
	}
	before := make([]supervisor.Use, len(all))
	for i, f := range all {
		before[i] = supervisor.Uses(f.ID)
	}
	begin := time.Now()
	if err := replicas.Pause(ctx, measured); err != nil {
		return event.Usage{}, err
	}
	u := event.Usage{Time: time.Now().UTC()}
	for i, f := range all {
		now := supervisor.Uses(f.ID)
		used := max(float64(now.Ticks)-float64(before[i].Ticks), 0) // less where one of its processes has ended
		u.Replicas = append(u.Replicas, event.ReplicaUsage{
			Name: f.name, State: f.Word(), CPU: used / ticks / time.Since(begin).Seconds(), Memory: now.Memory,
		})
	}
	slices.SortFunc(u.Replicas, func(a, b event.ReplicaUsage) int { return cmp.Compare(a.Name, b.Name) })
	return u, nil
}

// Follow reads the logs of all replicas of the step, and of those that are started while it does.
func (e *Executor) Follow(ctx context.Context, r executor.Request, since time.Time, line func(at time.Time, stream, line string)) error {
	w, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	readers := map[string]*supervisor.Reader{}
	defer func() {
		for _, r := range readers {
			_ = r.Close()
		}
	}()
	var all []found
	for n := 0; ; n++ {
		if n%lookEvery == 0 {
			all, err = w.list()
		}
		if err == nil {
			err = w.readOn(ctx, all, readers, since, line)
		}
		if err == nil {
			err = replicas.Pause(ctx, followEvery)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readOn gives what is new of all replicas; one that is gone is read to its end.
func (w *work) readOn(ctx context.Context, all []found, readers map[string]*supervisor.Reader, since time.Time, line func(time.Time, string, string)) error {
	there := map[string]string{} // the prefix by the id
	for _, f := range all {
		there[f.ID] = replicas.Prefix(w.block, f)
		if readers[f.ID] == nil {
			readers[f.ID] = supervisor.Read(f.folder)
		}
	}
	for id, r := range readers {
		prefix, is := there[id]
		err := r.Lines(func(at time.Time, stream, text string) bool {
			if !at.Before(since) {
				line(at, stream, prefix+text)
			}
			return ctx.Err() == nil
		})
		if !is {
			err = r.Close()
			delete(readers, id)
		}
		if err != nil {
			return fault.Wrap(err, fault.Retry, fault.ExecutorFailed, "the log of %s can't be read", w.r.Step)
		}
	}
	return nil
}
