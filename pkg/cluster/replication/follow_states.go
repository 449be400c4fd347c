package replication

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// fetchAtOnce bounds how many missing states are asked for between two pages.
const fetchAtOnce = 16

// keep takes over what an entry says of states. One that was not sent is missing until a later entry makes it void, or it can
// be fetched.
func (p *partition) keep(ctx context.Context, b *store.Batch, e store.Entry, sent []state) error {
	s := p.memory.States[e.Environment]
	defer func() {
		for _, place := range s.Released() {
			b.States = append(b.States, store.StepState{Environment: e.Environment, Step: place})
			delete(p.missing, [2]string{e.Environment, place})
		}
	}()
	kept := history.Kept(e)
	switch {
	case kept == nil:
		return nil
	case kept.Step == "":
		return p.keepAgain(ctx, b, s)
	}
	at := [2]string{kept.Environment, kept.Step}
	delete(p.missing, at)
	if kept.Hash != "" {
		i := slices.IndexFunc(sent, func(s state) bool {
			return s.Environment == kept.Environment && s.Step == kept.Step && s.Hash == kept.Hash
		})
		if i < 0 {
			p.missing[at] = kept.Hash
			return nil
		}
		if err := sent[i].check(); err != nil {
			return err
		}
		kept.Data = sent[i].Data
	}
	b.States = append(b.States, *kept)
	return nil
}

// keepAgain ends the states of an environment that is destroyed, or made again, but those that it goes on naming: they tell of
// what was left where it is, or of the plan by which it is made.
func (p *partition) keepAgain(ctx context.Context, b *store.Batch, s *environment.State) error {
	maps.DeleteFunc(p.missing, func(at [2]string, _ string) bool { return at[0] == s.Name })
	again := []store.StepState{{Environment: s.Name}}
	for step, hash := range history.Named(s) {
		found, err := p.had(ctx, b, s.Name, step)
		if err != nil && !missing(err) {
			return err
		}
		if err != nil || found.Hash != hash {
			p.missing[[2]string{s.Name, step}] = hash
			continue
		}
		again = append(again, found)
	}
	b.States = append(b.States, again...)
	return nil
}

// had is a state as it is once a batch is written.
func (p *partition) had(ctx context.Context, b *store.Batch, name, step string) (store.StepState, error) {
	for _, s := range slices.Backward(b.States) {
		if s.Environment == name && (s.Step == step || s.Step == "") {
			if len(s.Data) == 0 {
				return s, store.ErrNotFound
			}
			return s, nil
		}
	}
	return p.f.Store.State(ctx, name, step)
}

func missing(err error) bool { return errors.Is(err, store.ErrNotFound) }

// check holds the data against its hash.
func (s state) check() error {
	if sum := sha256.Sum256(s.Data); hex.EncodeToString(sum[:]) != s.Hash {
		return fault.New(fault.Retry, Altered, "the state of %s in %s is not what its hash says", s.Step, s.Environment)
	}
	return nil
}

// look finds which states are missing in the store.
func (p *partition) look(ctx context.Context) error {
	p.missing = map[[2]string]string{}
	for name, s := range p.memory.States {
		for step, hash := range history.Named(s) {
			found, err := p.f.Store.State(ctx, name, step)
			if err != nil && !missing(err) {
				return err
			}
			if err != nil || found.Hash != hash {
				p.missing[[2]string{name, step}] = hash
			}
		}
	}
	p.count()
	return nil
}

func (p *partition) count() { p.lacking.Store(int64(len(p.missing))) }

// rest is done when a beat comes: what the primary has published is noted, and some of what is missing is asked for.
func (p *partition) rest(s *session) error {
	if p.standby.Load() {
		return p.see(s)
	}
	if p.halted() != nil || p.memory == nil {
		return nil
	}
	if n := min(p.relayed.Load(), p.memory.Seq); n > p.memory.Relayed {
		p.memory.Relayed = n
		if err := p.f.Store.Relayed(s.ctx, p.number, n); err != nil {
			return err
		}
	}
	if p.applied.Load() < p.f.view.head(p.number) {
		return nil // an entry that is on its way may make it void
	}
	defer p.count()
	b := store.Batch{Partition: p.number, Epoch: s.epoch.Load()}
	for at, hash := range p.missing {
		if st := p.memory.States[at[0]]; st == nil || history.Named(st)[at[1]] != hash {
			delete(p.missing, at) // its resource is forgotten
			continue
		}
		found, err := s.fetchState(at, hash)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		b.States = append(b.States, store.StepState{Environment: at[0], Step: at[1], Hash: hash, Data: found.Data})
		delete(p.missing, at)
		if len(b.States) == fetchAtOnce {
			break
		}
	}
	if len(b.States) == 0 {
		return nil
	}
	return p.f.Store.Append(s.ctx, b)
}

func (s *session) fetchState(at [2]string, hash string) (found state, err error) {
	err = s.remote.ask(s.ctx, http.MethodGet, pathState+"?"+encode("environment", at[0], "step", at[1], "hash", hash), nil, &found)
	if err == nil && found.Hash != hash {
		err = fault.New(fault.Retry, fault.Unreadable, "the primary answered with another state than it was asked for")
	}
	if err == nil {
		err = found.check()
	}
	return found, err
}

// fetchTemplate gives nil where the primary has lost it.
func (s *session) fetchTemplate(hash string) (*store.TemplateRecord, error) {
	var found template
	err := s.remote.ask(s.ctx, http.MethodGet, pathTemplates+"?"+encode("hash", hash), nil, &found)
	switch {
	case fault.Is(err, fault.NotFound):
		s.f.Log.Warn("the primary does not have a template that its journal names", "hash", hash)
		return nil, nil //nolint:nilnil // it is lost, and that is no error of this side
	case err != nil:
		return nil, err
	case found.Record.Hash != hash:
		return nil, fault.New(fault.Retry, fault.Unreadable, "the primary answered with another template than it was asked for")
	}
	found.Record.Archive = found.Archive
	return &found.Record, nil
}

// encode makes a query of names and values.
func encode(pairs ...any) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(fmt.Sprint(pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return v.Encode()
}
