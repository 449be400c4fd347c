package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver of the floor is the store's own

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/amqp"
	"github.com/vivarium-env/vivarium/pkg/bus/nats"
	"github.com/vivarium-env/vivarium/test/servers"
)

func median(runs int, once func() (time.Duration, error)) (time.Duration, error) {
	var all []time.Duration
	for range runs {
		d, err := once()
		if err != nil {
			return 0, err
		}
		all = append(all, d)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

func inFolder(run func(dir string) error) error {
	dir, err := os.MkdirTemp("", "vivarium-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return run(dir)
}

func floors(ctx context.Context, r *report) error {
	if err := inFolder(func(dir string) error { return floorSQLite(ctx, r, dir) }); err != nil {
		return err
	}
	err := inFolder(func(dir string) error {
		return withEmbedded(ctx, dir, func(b bus.Bus) error { return floorBus(ctx, r, b, "JetStream in process") })
	})
	if err != nil {
		return err
	}
	return withRabbitMQ(ctx, func(b bus.Bus) error { return floorBus(ctx, r, b, "RabbitMQ quorum queue") })
}

func floorSQLite(ctx context.Context, r *report, dir string) error {
	db, err := sql.Open("sqlite", filepath.Join(dir, "floor.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, "create table t (id integer primary key, body text)"); err != nil {
		return err
	}
	const count = 1000
	start := time.Now()
	for range count {
		if _, err := db.ExecContext(ctx, "insert into t (body) values (?)", "a row of a journal, about as long as a short one is"); err != nil {
			return err
		}
	}
	r.row("floor: one durable SQLite transaction", fmt.Sprintf("%.2f ms", ms(time.Since(start))/count), "")
	return nil
}

func withEmbedded(ctx context.Context, dir string, run func(bus.Bus) error) error {
	e, err := nats.StartEmbedded(ctx, nats.EmbeddedOptions{Dir: filepath.Join(dir, "bus")})
	if err != nil {
		return err
	}
	defer func() { _ = e.Stop(context.WithoutCancel(ctx)) }()
	b, err := e.Bus(ctx)
	if err != nil {
		return err
	}
	return run(b)
}

func withRabbitMQ(ctx context.Context, run func(bus.Bus) error) error {
	return inFolder(func(dir string) error {
		broker, err := servers.StartRabbitMQ(ctx, dir)
		if err != nil {
			return err
		}
		defer func() { _ = broker.Stop(context.WithoutCancel(ctx)) }()
		b, err := amqp.Dial(ctx, amqp.Options{URL: broker.URL(), Name: "bench"})
		if err != nil {
			return err
		}
		return run(b)
	})
}

// floorBus measures one message there and one back, and messages as fast as they go.
func floorBus(ctx context.Context, r *report, b bus.Bus, name string) error {
	defer func() { _ = b.Close(context.WithoutCancel(ctx)) }()
	if err := b.Declare(ctx, bus.Topology{Partitions: 1, Pools: []string{"floor"}}); err != nil {
		return err
	}
	got := make(chan struct{}, 1<<16)
	echo, err := b.Consume(ctx, bus.ConsumeOptions{Queue: bus.Tasks("floor"), Prefetch: 512}, func(d bus.Delivery) {
		d.Ack()
		m := bus.Message{To: bus.Address{Key: bus.Partition(0)}, ID: d.Message().ID + "r", Body: d.Message().Body}
		_ = b.Send(ctx, m, func(error) {})
	})
	if err != nil {
		return err
	}
	back, err := b.Consume(ctx, bus.ConsumeOptions{Queue: bus.Partition(0), Prefetch: 512}, func(d bus.Delivery) {
		d.Ack()
		got <- struct{}{}
	})
	if err != nil {
		return err
	}
	defer func() { _ = echo.Stop(ctx); _ = back.Stop(ctx) }()
	body := make([]byte, 600)
	trips := func(count, window int) (time.Duration, error) {
		start := time.Now()
		inFlight := 0
		var mu sync.Mutex
		var failed error
		for sent, done := 0, 0; done < count; {
			for ; sent < count && inFlight < window; sent, inFlight = sent+1, inFlight+1 {
				m := bus.Message{To: bus.Address{Key: bus.Tasks("floor")}, ID: fmt.Sprintf("%s-%d-%d-%d", name, window, start.UnixNano(), sent), Body: body}
				err := b.Send(ctx, m, func(err error) {
					if err != nil {
						mu.Lock()
						failed = err
						mu.Unlock()
					}
				})
				if err != nil {
					return 0, err
				}
			}
			select {
			case <-got:
				done, inFlight = done+1, inFlight-1
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(20 * time.Second):
				return 0, fmt.Errorf("%s: %d of %d messages came back (%v)", name, done, count, failed)
			}
		}
		return time.Since(start), nil
	}
	if _, err := trips(200, 1); err != nil {
		return err
	}
	one, err := trips(500, 1)
	if err != nil {
		return err
	}
	many, err := trips(10_000, 256)
	if err != nil {
		return err
	}
	r.row("floor: "+name+", one message there and one back", fmt.Sprintf("%.2f ms", ms(one)/500), "")
	r.row("floor: "+name+", pipelined there and back", fmt.Sprintf("%.0f /s", 10_000/many.Seconds()), "")
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
