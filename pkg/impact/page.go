package impact

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/plan"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/template"
)

const (
	chunk = 8 // environments between two looks at the clock
	// mostSteps ends a page, so that no answer is large because environments are.
	mostSteps = 20_000
	counted   = 1000 // environments listed at once to count them
)

// Examiner looks at environments. It is safe for concurrent use.
type Examiner struct {
	Options
	decider *environment.Decider
	places  chan struct{}
	sent    chan struct{}
}

// New makes one.
func New(o Options) *Examiner {
	if o.Places <= 0 {
		o.Places = 4
	}
	return &Examiner{o, environment.NewDecider(o.Policy), make(chan struct{}, o.Places), make(chan struct{}, sentAtOnce)}
}

// Question asks for a page of the environments that are made from a template of this name.
type Question struct {
	Template *template.Template
	// Limit is how many environments are looked at, about; Cursor is Next of the page before.
	Limit  int
	Cursor string
	// Within ends the page when the time is up; 0 is no bound.
	Within time.Duration

	blind bool // no secret is opened
}

// Page of effects, in the order of the environments' names.
type Page struct {
	Effects []environment.Effect
	// Next is the cursor of what was not looked at, Left how many live environments that are.
	Next string
	Left int
}

// Of says what the template would do to live environments. The page ends early when the time is up or there is much to tell. An
// error is that of the store, or of ctx; what is wrong with one environment is told in its effect.
func (x *Examiner) Of(ctx context.Context, q Question) (Page, error) {
	p, begin := Page{Effects: []environment.Effect{}, Next: q.Cursor}, time.Now()
	for steps := 0; ; {
		uses, next, err := x.Store.Usage(ctx, store.Origin{Template: q.Template.Name, Page: store.Page{Limit: min(q.Limit-len(p.Effects), chunk), Cursor: p.Next}})
		if err != nil {
			return Page{}, err
		}
		effects, err := x.lookAt(ctx, q, live(uses))
		if err != nil {
			return Page{}, err
		}
		for _, e := range effects {
			steps += len(e.Steps)
		}
		p.Effects, p.Next = append(p.Effects, effects...), next
		if next == "" || len(p.Effects) >= q.Limit || steps > mostSteps || q.Within > 0 && time.Since(begin) > q.Within {
			p.Left, err = x.left(ctx, q.Template.Name, next)
			return p, err
		}
	}
}

// live leaves out what is gone, and what is not there yet.
func live(uses []store.Use) (list []store.Use) {
	for _, use := range uses {
		if use.Status != environment.Destroyed && use.Status != environment.Planned {
			list = append(list, use)
		}
	}
	return list
}

// left counts the live environments behind a cursor; it ends when ctx does.
func (x *Examiner) left(ctx context.Context, name, cursor string) (count int, err error) {
	for cursor != "" && err == nil {
		var uses []store.Use
		uses, cursor, err = x.Store.Usage(ctx, store.Origin{Template: name, Page: store.Page{Limit: counted, Cursor: cursor}})
		count += len(live(uses))
	}
	return count, err
}

// lookAt looks at some environments at once, as far as there are places.
func (x *Examiner) lookAt(ctx context.Context, q Question, uses []store.Use) ([]environment.Effect, error) {
	effects, failures := make([]environment.Effect, len(uses)), make([]error, len(uses))
	var group sync.WaitGroup
	for i, use := range uses {
		effects[i] = environment.Effect{Environment: use.Environment, Status: use.Status, Now: use.Template}
		if err := x.place(ctx); err != nil {
			failures[i] = err
			break
		}
		group.Go(func() {
			defer x.free()
			failures[i] = x.look(ctx, q, &effects[i])
		})
	}
	group.Wait()
	return effects, errors.Join(failures...)
}

// place waits until there is one.
func (x *Examiner) place(ctx context.Context) error {
	select {
	case x.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.From(ctx.Err())
	}
}

func (x *Examiner) free() { <-x.places }

// look fills in what is foreseen of one environment, or why nothing is.
func (x *Examiner) look(ctx context.Context, q Question, e *environment.Effect) error {
	asked := &asking{Examiner: x, ctx: ctx}
	err := x.foresee(asked, q, e)
	var known *fault.Error
	switch {
	case asked.err != nil:
		return asked.err
	case errors.Is(err, store.ErrNotFound):
		e.Error = fault.Wrap(err, fault.Reject, fault.NotFound, "what the environment was made from is not kept any more")
		return nil
	case errors.As(err, &known) && ctx.Err() == nil:
		e.Error = known
		return nil
	}
	return err
}

func (x *Examiner) foresee(asked *asking, q Question, e *environment.Effect) error {
	s, err := x.state(asked.ctx, e.Environment)
	if err != nil {
		return err
	}
	templates, err := x.templates(asked.ctx, s, q.Template)
	if err != nil {
		return err
	}
	request := plan.Request{Environment: s.Name, Templates: templates, Parameters: environment.Given(s.Parameters, s.Given), Box: x.Box, Blind: q.blind}
	if q.blind {
		request.Most = sentNodes
	}
	p, err := plan.Resolve(request)
	if err != nil {
		return err
	}
	around := environment.Surroundings{Resolver: p, Consumed: asked.consumed, Uses: asked.uses}
	if q.blind {
		around.Resolver = blind(around.Resolver, s)
	}
	var refused *fault.Error
	e.Foresight, refused = x.decider.Foresee(s, around, environment.Resolved{Nodes: p.Nodes(), Sources: p.Sources()}, time.Now())
	if refused != nil {
		return refused
	}
	return nil
}
