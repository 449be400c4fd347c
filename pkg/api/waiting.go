package api

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// mostReasons bounds the summary; those that most steps share come first.
const mostReasons = 20

// summaryCache keeps what was last summed up, so that reading an environment again and again stays cheap. Safe for
// concurrent use.
type summaryCache struct {
	mu   sync.Mutex
	kept map[string]summed
}

type summed struct {
	epoch, revision uint64
	at              time.Time
	steps           int
	list            []wire.Waiting
}

const (
	mostSummaries = 64
	// manySteps make a summary dear: it may then be summaryAge old.
	manySteps  = 1000
	summaryAge = 2 * time.Second
)

// of finds the summary of an environment; exact tells whether it is of this very revision.
func (k *summaryCache) of(r environment.Record, now time.Time) (list []wire.Waiting, exact, found bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, ok := k.kept[r.Name]
	exact = ok && s.epoch == r.Epoch && s.revision == r.Revision
	return s.list, exact, exact || ok && s.steps > manySteps && now.Sub(s.at) < summaryAge
}

func (k *summaryCache) keep(name string, s summed) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil || len(k.kept) >= mostSummaries {
		k.kept = map[string]summed{}
	}
	k.kept[name] = s
}

// waiting sums up why the steps of an environment that is under way do not run: one entry a reason. It is exact when it
// is as of the record's revision.
func (s *Server) waiting(k *call, record environment.Record) (list []wire.Waiting, exact bool, err error) {
	if record.Status.Settled() {
		return []wire.Waiting{}, true, nil
	}
	held := s.options.Held() != nil // which no revision tells of
	if list, exact, found := s.summaries.of(record, time.Now()); found && !held {
		return list, exact, nil
	}
	all, err := s.everyResource(k)
	if err != nil {
		return nil, false, err
	}
	list = s.explainer(all).summary(all)
	if held {
		return list, true, nil
	}
	s.summaries.keep(record.Name, summed{epoch: record.Epoch, revision: record.Revision, at: time.Now(), steps: len(all), list: list})
	return list, true, nil
}

func (e *explainer) summary(all []environment.ResourceRecord) []wire.Waiting {
	list := []wire.Waiting{}
	at := map[environment.Reason]int{}
	unmet := map[event.Verb]map[string]bool{}
	for i := range all {
		if !waits(all[i]) {
			continue
		}
		step := e.explain(&all[i])
		reason := *step.Reason
		if reason.Code == environment.BecauseDependency {
			e.collect(unmet, &all[i])
			reason.Detail = string(step.Verb) // one entry for all; the detail follows
		}
		until := reason.Until
		reason.Until = nil
		n, known := at[reason]
		if !known {
			n = len(list)
			at[reason] = n
			list = append(list, wire.Waiting{Code: reason.Code, Detail: reason.Detail, Until: until})
		}
		list[n].Steps++
		if until != nil && (list[n].Until == nil || until.Before(*list[n].Until)) {
			list[n].Until = until
		}
	}
	for i := range list {
		if verb := event.Verb(list[i].Detail); list[i].Code == environment.BecauseDependency {
			list[i].Detail = dependencies(verb, unmet[verb])
		}
	}
	slices.SortStableFunc(list, func(a, b wire.Waiting) int { return cmp.Compare(b.Steps, a.Steps) })
	return list[:min(len(list), mostReasons)]
}

// collect gathers what all blocked steps wait for, other than each other.
func (e *explainer) collect(unmet map[event.Verb]map[string]bool, r *environment.ResourceRecord) {
	of := unmet[r.Step.Verb]
	if of == nil {
		of = map[string]bool{}
		unmet[r.Step.Verb] = of
	}
	for _, address := range e.unmet(r) {
		if e.byAddress[address].Step.State != environment.StateBlocked {
			of[address] = true
		}
	}
}

func dependencies(verb event.Verb, addresses map[string]bool) string {
	if len(addresses) == 0 {
		return "waits for what it depends on"
	}
	sorted := make([]string, 0, len(addresses))
	for address := range addresses {
		sorted = append(sorted, address)
	}
	slices.Sort(sorted)
	return waitsFor(verb, sorted)
}
