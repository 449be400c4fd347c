package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api"
	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

var began = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

const strange = `notes.terraform.net["a/b?c#d %"]`

// fixture is a client of a real API, whose connections can be cut.
type fixture struct {
	t     *testing.T
	store store.Store
	// options of the server.
	options api.Options
	api     *API
	seq     uint64
	// cut, when positive, breaks the next streams after so many writes.
	cut   atomic.Int32
	opens atomic.Int32
}

func start(t *testing.T) *fixture {
	t.Helper()
	return startOn(t, sqlite.Options{Path: filepath.Join(t.TempDir(), "api.db")})
}

func startOn(t *testing.T, o sqlite.Options) *fixture {
	t.Helper()
	s, err := sqlite.Open(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	f := &fixture{t: t, store: s, options: api.Options{
		Store: s, Templates: catalogue{}, Info: func() api.Info { return api.Info{Name: "vivarium", Role: api.Primary} },
	}}
	server, err := api.New(f.options)
	require.NoError(t, err)
	f.api = f.serve(server)
	f.append(environment.StatusDeploying{Operation: "op"}, environment.StatusValidating{Operation: "op"})
	return f
}

// serve gives a client of a server on connections that can be cut.
func (f *fixture) serve(server *api.Server) *API {
	proxy := httptest.NewServer(f.flaky(server.Handler()))
	f.t.Cleanup(func() { require.NoError(f.t, server.Stop(context.Background())); proxy.Close() })
	return NewAPI(proxy.URL+"/", proxy.Client())
}

type catalogue struct{}

func (catalogue) List(context.Context) ([]api.TemplateVersion, error) {
	return []api.TemplateVersion{
		{Template: environment.Template{Name: "notes", Version: "1.2.0"}}, {Template: environment.Template{Name: "notes", Version: "1.1.0"}},
	}, nil
}

func (catalogue) Get(_ context.Context, ref string) (api.Template, error) {
	if ref != "notes@1.2.0" {
		return api.Template{}, fault.New(fault.Reject, fault.InvalidTemplate, "bad %s", ref).With(fault.Diagnostic{Severity: "error", Line: 7})
	}
	return api.Template{TemplateVersion: api.TemplateVersion{Template: environment.Template{Name: "notes", Version: "1.2.0"}}}, nil
}

// flaky cuts streams off as a network does: in the middle.
func (f *fixture) flaky(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.opens.Add(1)
		next.ServeHTTP(&cutter{ResponseWriter: w, left: f.cut.Load()}, r)
	})
}

type cutter struct {
	http.ResponseWriter
	left int32
}

func (c *cutter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *cutter) Write(p []byte) (int, error) {
	if c.left > 0 {
		if c.left--; c.left == 0 {
			_, _ = c.ResponseWriter.Write(p[:len(p)/2])
			_ = http.NewResponseController(c.ResponseWriter).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	return c.ResponseWriter.Write(p)
}

func (f *fixture) append(bodies ...environment.Body) {
	f.t.Helper()
	b := store.Batch{Partition: 1, Epoch: 1}
	for _, body := range bodies {
		f.seq++
		data, err := json.Marshal(body)
		require.NoError(f.t, err)
		b.Entries = append(b.Entries, store.Entry{Partition: 1, Seq: f.seq, Environment: "notes", Type: body.Type(), Time: began, Epoch: 1, Data: data})
	}
	end := began
	b.Changes = environment.Changes{
		Environments: []environment.Record{{Name: "notes", Status: environment.Deployed, CreatedAt: began, UpdatedAt: began, Partition: 1, Revision: f.seq, Epoch: 1}},
		Operations:   []environment.OperationRecord{{ID: "op", Environment: "notes", Kind: environment.CreateOperation, Status: environment.OperationSucceeded, StartedAt: began, FinishedAt: &end}},
		Resources:    []environment.ResourceRecord{{Node: environment.Node{Address: strange, Type: environment.ResourceNode}, Environment: "notes", Status: environment.Deployed, UpdatedAt: began}},
	}
	require.NoError(f.t, f.store.Append(context.Background(), b))
}

func TestReads(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	list, err := f.api.Environments(ctx, Filter{Statuses: []environment.Status{environment.Deployed, environment.Failed}, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, "notes", list.Items[0].Name)
	list, err = f.api.Environments(ctx, Filter{Tags: []string{"none"}})
	require.NoError(t, err)
	require.Empty(t, list.Items)
	one, err := f.api.Environment(ctx, "notes")
	require.NoError(t, err)
	require.Equal(t, environment.Deployed, one.Status)
	resources, err := f.api.Resources(ctx, "notes")
	require.NoError(t, err)
	require.Equal(t, strange, resources[0].Address)
	resource, err := f.api.Resource(ctx, "notes", strange)
	require.NoError(t, err)
	require.Equal(t, strange, resource.Address)
	operations, err := f.api.Operations(ctx, "notes")
	require.NoError(t, err)
	require.Equal(t, "op", operations[0].ID)
	drawing, err := f.api.Graph(ctx, "notes", "dot")
	require.NoError(t, err)
	require.Contains(t, string(drawing), "digraph")
	journal, err := f.api.Journal(ctx, "notes", 1, 10)
	require.NoError(t, err)
	require.Len(t, journal.Items, 1)
	info, err := f.api.Info(ctx)
	require.NoError(t, err)
	require.Equal(t, "vivarium", info.Name)
	require.NoError(t, f.api.Ready(ctx))
	templates, err := f.api.Templates(ctx)
	require.NoError(t, err)
	require.Equal(t, "1.2.0", templates[0].Newest)
	newest, err := f.api.Template(ctx, "notes", "")
	require.NoError(t, err)
	require.Equal(t, "1.2.0", newest.Version)
}

func TestErrorsKeepTheirCode(t *testing.T) {
	f := start(t)
	ctx := context.Background()
	_, err := f.api.Environment(ctx, "none")
	require.True(t, fault.Is(err, fault.NotFound))
	require.Contains(t, err.Error(), `no environment "none"`)
	_, err = f.api.Graph(ctx, "notes", "png")
	require.True(t, fault.Is(err, fault.Invalid))
	_, err = f.api.Template(ctx, "notes", "0")
	require.True(t, fault.Is(err, fault.InvalidTemplate))
	require.Equal(t, 7, fault.From(err).Diagnostics[0].Line)
	require.Error(t, f.api.FollowJournal(ctx, "none", 0, nil))
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = f.api.Info(cancelled)
	require.True(t, fault.Is(err, fault.Cancelled))

	nobody := httptest.NewServer(nil)
	nobody.Close()
	gone := NewAPI(nobody.URL, nil)
	require.True(t, fault.Is(gone.Ready(ctx), fault.Unavailable))
	require.True(t, fault.Is(gone.FollowJournal(ctx, "notes", 0, nil), fault.Unavailable))
	require.True(t, fault.Is(NewAPI("::", nil).Ready(ctx), fault.Invalid))

	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wire.Prefix+"/self/info" {
			_, _ = w.Write([]byte("<html>"))
			return
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer other.Close()
	_, err = NewAPI(other.URL, other.Client()).Info(ctx)
	require.True(t, fault.Is(err, fault.Unreadable))
	require.True(t, fault.Is(NewAPI(other.URL, other.Client()).Ready(ctx), fault.Unavailable))
}

func TestFollowJournalOverBrokenConnections(t *testing.T) {
	f := start(t)
	f.cut.Store(3) // the retry hint, one batch, and the next one breaks off in the middle
	stop := errors.New("enough")
	var seen []uint64
	err := f.api.FollowJournal(context.Background(), "notes", 0, func(e store.Entry) error {
		seen = append(seen, e.Seq)
		if e.Seq%2 == 0 && e.Seq < 8 {
			f.append(environment.StatusDeploying{Operation: "op"}, environment.StatusValidating{Operation: "op"})
		}
		if e.Seq == 8 {
			return stop
		}
		return nil
	})
	require.ErrorIs(t, err, stop)
	require.Equal(t, []uint64{1, 2, 3, 4, 5, 6, 7, 8}, seen)
	require.Greater(t, f.opens.Load(), int32(1), "no connection was cut")

	ctx, cancel := context.WithCancel(context.Background())
	err = f.api.FollowJournal(ctx, "notes", 7, func(store.Entry) error { cancel(); return nil })
	require.True(t, fault.Is(err, fault.Cancelled))
}

func TestFollowLogsUntilSettled(t *testing.T) {
	f := start(t)
	task := event.TaskRef{Environment: "notes", Operation: "op", Step: strange, Attempt: 1}
	lines := []event.LogLine{{Time: began, Stream: "out", Text: "one"}, {Time: began, Stream: "err", Text: "two"}}
	require.NoError(t, f.store.AppendLogs(context.Background(), event.Logs{TaskRef: task, Lines: lines}))
	page, err := f.api.Logs(context.Background(), "notes", LogFilter{Step: strange, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, "one", page.Items[0].Text)
	var texts []string
	err = f.api.FollowLogs(context.Background(), "notes", LogFilter{Operation: "op", UntilSettled: true}, func(l store.LogRecord) error {
		texts = append(texts, fmt.Sprint(l.Stream, " ", l.Text))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{"out one", "err two"}, texts)
}
