package orchestrator

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

// sendTasks publishes the tasks of a turn, once what offers them is where it survives the loss of this side: whoever takes over
// then knows of everything that may have begun. Offers that come too late for that lapse, and are made again.
func (p *partition) sendTasks(ctx context.Context, seq uint64, tasks []bus.Message) {
	if p.Kept == nil || len(tasks) == 0 {
		for _, m := range tasks {
			p.sendTask(ctx, m)
		}
		return
	}
	p.running.Go(func() {
		waiting, cancel := context.WithTimeout(p.run, p.decider.Policy().AcceptWithin)
		defer cancel()
		if err := p.Kept(waiting, p.number, seq); err != nil {
			p.Log.Warn("offers are not made: no secondary is known to have them", "partition", p.number, "seq", seq, "tasks", len(tasks), "error", err)
			return
		}
		for _, m := range tasks {
			if p.mayAct() != nil {
				return
			}
			p.sendTask(p.run, m)
		}
	})
}
