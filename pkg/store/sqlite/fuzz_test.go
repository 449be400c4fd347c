package sqlite_test

import (
	"errors"
	"testing"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// fuzzed is a store with a little of everything in it.
func fuzzed(f *testing.F) store.Store {
	s := newFile(f).openFor(f)
	f.Cleanup(func() { _ = s.Close() })
	err := s.Append(f.Context(), store.Batch{Epoch: 1, Entries: []store.Entry{{Seq: 1, Environment: "a"}}, Changes: environment.Changes{
		Created: []string{"a"}, Environments: []environment.Record{{Name: "a", Description: "the notes service", Tags: []string{"team:notes"},
			Templates: []environment.Template{{Name: "notes", Version: "1.0.0", Commit: "0123456789"}}}},
		Resources: []environment.ResourceRecord{
			{Environment: "a", CreatedBy: "op-1", Node: environment.Node{Address: "notes.noop.x", Template: "notes"}},
			{Environment: "a", CreatedBy: "op-1", Node: environment.Node{Address: "notes.noop.y", Template: "notes", DependsOn: []string{"notes.noop.x"}}}},
		Operations: []environment.OperationRecord{{ID: "op-1", Environment: "a", RequestedBy: "/teams/notes"}},
	}})
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// allowedError tells what a question may be answered with: that something is not there, or is not to be asked like this.
func allowedError(err error) bool {
	return err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCursor) || fault.Is(err, fault.Invalid)
}

// FuzzTexts: no text is a syntax, in a filter, in a search, or as a name.
func FuzzTexts(f *testing.F) {
	s := fuzzed(f)
	for _, seed := range []string{"", "notes", `" OR *`, "NEAR(a b)", "'; DROP TABLE environments; --", "\x00", "{name}: x", "a@1", "🙂", "\xff"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, text, other string) {
		ctx := t.Context()
		_, _, e1 := s.Environments(ctx, store.Filter{Text: text, Template: other, Tags: []string{other}})
		_, _, e8 := s.Environments(ctx, store.Filter{Health: []string{text}, Sort: store.Sort{By: store.Order(other), Descending: true}})
		sort := store.Sort{By: store.Orders()[len(text)%len(store.Orders())], Descending: len(other)%2 == 0}
		_, _, e9 := s.Environments(ctx, store.Filter{Text: other, Health: []string{text}, Sort: sort})
		_, e2 := s.Search(ctx, store.Search{Text: text + " " + other})
		_, _, e3 := s.Made(ctx, store.Origin{Template: text, Commit: other, RequestedBy: other})
		_, _, e4 := s.Usage(ctx, store.Origin{Template: text, Version: other})
		_, e5 := s.Walk(ctx, store.Walk{From: store.Ref{Environment: text, Address: other}, Direction: store.Dependents, Depth: len(text)})
		_, e6 := s.Path(ctx, store.Ref{Environment: "a", Address: text}, store.Ref{Environment: other, Address: "notes.noop.x"})
		_, e7 := s.Lineage(ctx, store.Ref{Environment: text, Address: other})
		for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8, e9} {
			if !allowedError(err) {
				t.Fatalf("question %d: %v", i+1, err)
			}
		}
		left, _, err := s.Environments(ctx, store.Filter{})
		if err != nil || len(left) != 1 {
			t.Fatalf("what was there is not there any more: %v, %v", left, err)
		}
	})
}

// FuzzCursors: a cursor that the store did not give is refused, by every list.
func FuzzCursors(f *testing.F) {
	s := fuzzed(f)
	_, given, err := s.Resources(f.Context(), "a", store.Page{Limit: 1})
	if err != nil || given == "" {
		f.Fatal("no cursor to alter", err)
	}
	for _, seed := range []string{given, given[1:], given + "A", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "e30"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		p := store.Page{Cursor: cursor, Limit: 1}
		_, _, own := s.Resources(t.Context(), "a", p)
		if cursor != "" && cursor != given && !errors.Is(own, store.ErrCursor) {
			t.Fatalf("a cursor that was not given is taken: %v", own)
		}
		_, _, e1 := s.Environments(t.Context(), store.Filter{Page: p})
		_, _, e5 := s.Environments(t.Context(), store.Filter{Page: p, Sort: store.Sort{By: store.ByUpdatedAt, Descending: true}})
		_, _, e2 := s.Operations(t.Context(), "a", p)
		_, _, e3 := s.Usage(t.Context(), store.Origin{Template: "notes", Page: p})
		_, _, e4 := s.Made(t.Context(), store.Origin{Template: "notes", Page: p})
		for i, err := range []error{e1, e2, e3, e4, e5} {
			if cursor != "" && !errors.Is(err, store.ErrCursor) {
				t.Fatalf("list %d takes another's cursor: %v", i+1, err)
			}
		}
	})
}
