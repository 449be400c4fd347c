package impact

import (
	"context"
	"errors"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Store is the part of a store that is read.
type Store interface {
	history.Entries
	Snapshots(ctx context.Context, partition int, environment string) ([]store.Snapshot, error)
	Environment(ctx context.Context, name string) (environment.Record, error)
	Template(ctx context.Context, hash string) (store.TemplateRecord, error)
	Usage(ctx context.Context, o store.Origin) ([]store.Use, string, error)
	Consumers(ctx context.Context, environment string) ([]store.Edge, error)
}

// Options of an Examiner.
type Options struct {
	Store Store
	Kinds template.Kinds
	Box   *secret.Box
	// Sent are the kinds that compile what strangers send: they fetch nothing.
	Sent    template.Kinds
	Scratch string // folder for kept templates that are unpacked again
	Policy  environment.Policy
	// Places is how many environments are looked at at once, whoever asks; 0 takes 4.
	Places int
}

// state folds an environment from its last snapshot on.
func (x *Examiner) state(ctx context.Context, name string) (*environment.State, error) {
	record, err := x.Store.Environment(ctx, name)
	if err != nil {
		return nil, err
	}
	snapshots, err := x.Store.Snapshots(ctx, record.Partition, name)
	if err != nil {
		return nil, err
	}
	s, selection := environment.NewState(name), store.Selection{Partition: -1, Environment: name, Limit: 1000}
	if len(snapshots) > 0 {
		if s, err = environment.Restore(snapshots[0].Data); err != nil {
			return nil, err
		}
		selection.After = snapshots[0].Seq
	}
	for {
		entries, err := x.Store.Entries(ctx, selection)
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if err := history.Evolve(s, entry); err != nil {
				return nil, err
			}
			selection.After = entry.Seq
		}
		if len(entries) < selection.Limit {
			return s, nil
		}
	}
}

// templates are those of the environment, as they were when it was made, with the edited one in its place.
func (x *Examiner) templates(ctx context.Context, s *environment.State, edited *template.Template) ([]*template.Template, error) {
	list := make([]*template.Template, len(s.Templates))
	for i, meta := range s.Templates {
		if list[i] = edited; meta.Name == edited.Name {
			continue
		}
		kept, err := x.Store.Template(ctx, meta.Hash)
		if err != nil {
			return nil, err
		}
		if list[i], err = template.FromArchive(&event.Bundle{Hash: meta.Hash, Data: kept.Archive}, meta, x.Scratch, x.Kinds); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// asking answers about other environments, and remembers what could not be answered.
type asking struct {
	*Examiner
	ctx context.Context
	err error
}

func (a *asking) consumed(name, output string) environment.Supply {
	record, err := a.Store.Environment(a.ctx, name)
	if err != nil {
		if !errors.Is(err, store.ErrNotFound) {
			a.err = err
		}
		return environment.Supply{}
	}
	return record.Supply(output)
}

func (a *asking) uses(name string) (list []environment.Consumer) {
	edges, err := a.Store.Consumers(a.ctx, name)
	if err != nil {
		a.err = err
	}
	for _, e := range edges {
		list = append(list, e.Consumer())
	}
	slices.SortFunc(list, environment.Consumer.Compare)
	return slices.Compact(list)
}
