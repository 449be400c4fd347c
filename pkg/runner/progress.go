package runner

import "github.com/vivarium-env/vivarium/pkg/event"

// progressBytes bounds a message of progress; rawProgress what is looked at of one.
const (
	progressBytes = 256
	rawProgress   = 16 << 10
)

// progress is what an executor said last, as it said it: most of it is never sent, so it is masked when it is.
type progress struct {
	said event.Progress
	mask *masker
}

// progress takes what the executor tells of its work.
func (w *worker) progress(p event.Progress) {
	p.Message = p.Message[:min(len(p.Message), rawProgress)]
	w.job.progress.Store(&progress{said: p, mask: w.mask})
}

func (p *progress) shown() event.Progress {
	return event.Progress{
		Message: brief(p.mask.text(p.said.Message), progressBytes),
		Done:    max(p.said.Done, 0), Total: max(p.said.Total, 0),
	}
}

// progressOf is the progress of the jobs that the server does not know yet, with what it has to be remembered by.
func (r *Runner) progressOf(jobs []*job) (all []event.TaskProgress, of map[*job]*progress) {
	of = map[*job]*progress{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range jobs {
		p := j.progress.Load()
		if p == nil || j.told != nil && j.told.said == p.said {
			continue
		}
		of[j] = p
		all = append(all, event.TaskProgress{TaskRef: j.task.TaskRef, Progress: p.shown()})
	}
	return all, of
}

// told notes what the server knows by now.
func (r *Runner) told(of map[*job]*progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for j, p := range of {
		j.told = p
	}
}
