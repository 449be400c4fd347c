package runner

import (
	"fmt"
	"testing"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// BenchmarkNoop is what the runner itself costs for a task that does nothing: without a broker and without work.
func BenchmarkNoop(b *testing.B) {
	memory := newMemoryBus()
	finished := make(chan struct{}, 1000)
	memory.refuseWith(func(m bus.Message) error {
		if m.Type == event.TypeOf(event.TaskFinished) {
			finished <- struct{}{}
		}
		return nil
	})
	r, err := New(Options{
		Bus: memory, Name: "one", Pools: []string{"default"}, Executors: []executor.Executor{funcs{name: "x"}},
		Concurrency: 100, WorkDir: b.TempDir(), Box: newBox(b),
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := r.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	in := memory.consumer(bus.Tasks("default")).in
	bodies := make([][]byte, b.N) // no attempt comes twice, or the second would be dropped as a copy
	for i := range bodies {
		bodies[i] = envelope(event.TaskOffered, task(named(fmt.Sprintf("notes.x.a[%d]", i))))
	}
	b.ResetTimer()
	go func() {
		for _, body := range bodies {
			in <- &memoryDelivery{message: bus.Message{Body: body}}
		}
	}()
	for range b.N {
		<-finished
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
	b.StopTimer()
	if err := r.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}
