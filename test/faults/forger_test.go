package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// forger is a runner of the pool "odd", as an AMQP client that keeps to no rule: it says everything several times, late,
// in the wrong order, and lies. What it says truly it keeps in a ledger of its own.
type forger struct {
	name    string
	random  choice
	conn    *amqp.Connection
	publish *amqp.Channel
	running sync.WaitGroup
	quit    context.CancelFunc
	n       atomic.Int64

	mu      sync.Mutex // of what follows, and of publish and random
	effects map[string][]effect
	lies    int
	failed  error
}

// task is what the forger reads of an offer. Ref is repeated as it came.
type task struct {
	Environment, Operation, Step, Verb string
	Attempt, Partition, Epoch          int
}

func newForger(ctx context.Context, broker string, random choice) (*forger, error) {
	conn, err := amqp.Dial(broker)
	if err != nil {
		return nil, err
	}
	f := &forger{name: "forger/0123456789abcdef", random: random, conn: conn, effects: map[string][]effect{}}
	if f.publish, err = conn.Channel(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// The server makes the queue when the pool is first asked for; until then there is nothing to take.
	_, err = ch.QueueDeclare("vivarium.tasks.odd", true, false, false, false, amqp.Table{"x-queue-type": "quorum",
		"x-delivery-limit": int64(19), "x-dead-letter-exchange": "vivarium.dead"})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	tasks, err := ch.Consume("vivarium.tasks.odd", "", true, false, false, false, nil)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	ctx, f.quit = context.WithCancel(ctx)
	f.running.Go(func() { f.alive(ctx) })
	f.running.Go(func() {
		for d := range tasks {
			f.take(ctx, d.Body)
		}
	})
	return f, nil
}

func (f *forger) close() error {
	f.quit()
	err := f.conn.Close()
	f.running.Wait()
	return errors.Join(err, f.failed)
}

func (f *forger) take(ctx context.Context, body []byte) {
	var e struct {
		Type string
		Data task
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Data.Step == "" {
		f.fail(fmt.Errorf("not a task: %w: %s", err, body))
		return
	}
	tricks := either(len(tricks), len(tricks)-1) // the last one takes an offer's whole time
	f.running.Go(func() { f.trick(ctx, e.Data, f.pick(tricks)) })
}

func (f *forger) pick(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.random.IntN(n)
}

func (f *forger) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = errors.Join(f.failed, err)
}

// raw publishes to a queue.
func (f *forger) raw(queue string, body []byte) { f.send("", queue, body) }

func (f *forger) send(exchange, key string, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.publish.PublishWithContext(context.Background(), exchange, key, false, false,
		amqp.Publishing{ContentType: "application/cloudevents+json", Body: body})
	if err != nil && !errors.Is(err, amqp.ErrClosed) {
		f.failed = errors.Join(f.failed, err)
	}
}

type data = map[string]any

// say publishes an envelope.
func (f *forger) say(queue, typ string, d any) { f.tell("", queue, typ, d) }

func (f *forger) tell(exchange, key, typ string, d any) {
	body, err := json.Marshal(data{"specversion": "1.0", "id": fmt.Sprint("forged-", f.n.Add(1)), "source": "forger",
		"type": "vivarium." + typ + ".v1", "data": d})
	if err != nil {
		f.fail(err)
		return
	}
	f.send(exchange, key, body)
}

// alive says every second that the forger is there, since no pool is served without a runner that is heard.
func (f *forger) alive(ctx context.Context) {
	for ctx.Err() == nil {
		f.tell("vivarium.control", "runners", "runner.alive", data{"name": "forger", "runner": f.name, "pools": []string{"odd"},
			"executors": []string{"action", "noop"}, "concurrency": 50, "time": time.Now()})
		pause(ctx, time.Second)
	}
}

// about says something about a task to the owner of its partition; more overwrites what is true.
func (f *forger) about(t task, typ string, more data) {
	d := data{"environment": t.Environment, "operation": t.Operation, "step": t.Step, "attempt": t.Attempt,
		"partition": t.Partition, "epoch": t.Epoch, "runner": f.name, "started_at": time.Now(), "finished_at": time.Now()}
	maps.Copy(d, more)
	f.say(fmt.Sprint("vivarium.partitions.", t.Partition), typ, d)
}

// truth is the result of work that was done.
func truth(t task) data {
	return data{"outputs": data{"stdout": fmt.Sprint("true:", t.Attempt), "exit_code": 0, "json": nil}}
}

// work leaves an effect in the ledger.
func (f *forger) work(t task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := effect{Environment: t.Environment, Operation: t.Operation, Step: t.Step, Attempt: t.Attempt, PID: int(f.n.Add(1)), At: time.Now()}
	end := e
	end.End, end.At = true, time.Now()
	f.effects[t.Environment] = append(f.effects[t.Environment], e, end)
}

func (f *forger) ledger(name string) ([]effect, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.effects[name], nil
}

// lie says that something is finished that is not: with the outputs that the test looks for afterwards.
func (f *forger) lie(t task, more data) {
	d := data{"outputs": data{"stdout": "forged", "exit_code": 0, "json": nil}}
	maps.Copy(d, more)
	f.about(t, "task.finished", d)
	f.mu.Lock()
	f.lies++
	f.mu.Unlock()
}

// told counts the lies.
func (f *forger) told() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lies
}
