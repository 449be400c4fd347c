package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

const (
	patience  = 20 * time.Second
	partition = 3
	operation = "op-2"
	// hostile is what a careless or hostile author could call things.
	hostile = "<b>\"evil\" & \\N ]; } \n %%{init: {}}%% --> x [end] `é` &lt; \\"
)

var (
	began    = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	password = "correct horse battery staple"
)

// fixture is a server over a real store.
type fixture struct {
	t      *testing.T
	store  store.Store
	server *Server
	base   string
	sealed json.RawMessage
	seq    uint64
}

func start(t *testing.T, change func(*Options)) *fixture {
	t.Helper()
	return startOn(t, sqlite.Options{}, change)
}

func startOn(t *testing.T, options sqlite.Options, change func(*Options)) *fixture {
	t.Helper()
	options.Path = filepath.Join(t.TempDir(), "api.db")
	s, err := sqlite.Open(context.Background(), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	key, err := secret.NewKey()
	require.NoError(t, err)
	box, err := secret.NewBox(key)
	require.NoError(t, err)
	f := &fixture{t: t, store: s, sealed: box.Seal(json.RawMessage(`"` + password + `"`))}
	o := Options{Listen: "127.0.0.1:0", Store: s, Templates: catalogue{}, Info: info, Checks: []Check{
		{Name: "bus", Required: true, Probe: func(context.Context) error { return nil }},
	}}
	if change != nil {
		change(&o)
	}
	f.server, err = New(o)
	require.NoError(t, err)
	require.NoError(t, f.server.Start(context.Background()))
	t.Cleanup(f.stop)
	f.base = "http://" + f.server.Addr()
	f.fill()
	return f
}

func (f *fixture) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(f.t, f.server.Stop(ctx))
	http.DefaultClient.CloseIdleConnections()
}

func info() Info {
	return Info{
		Name: "vivarium", Version: "1.0.0", GoVersion: "go1.26", ServerID: "s1", Cluster: "local", Role: Primary, Epoch: 1,
		Bus:   bus.Status{Driver: "embedded", Server: "NATS 2", Address: "in process", Connected: true, Since: began},
		Store: store.Info{Driver: "sqlite", Version: "3", Address: "api.db"}, StartedAt: began, Partitions: []int{partition}, PartitionCount: 16,
	}
}

// append writes facts of an environment, with what they do to the projection.
func (f *fixture) append(name string, changes environment.Changes, bodies ...environment.Body) {
	f.t.Helper()
	b := store.Batch{Partition: partition, Epoch: 1, Changes: changes}
	for _, body := range bodies {
		f.seq++
		data, err := json.Marshal(body)
		require.NoError(f.t, err)
		b.Entries = append(b.Entries, store.Entry{
			Partition: partition, Seq: f.seq, Environment: name, Type: body.Type(), Time: began.Add(time.Duration(f.seq) * time.Second),
			Epoch: 1, Operation: operation, Causation: "cmd-1", Data: data,
		})
	}
	require.NoError(f.t, f.store.Append(context.Background(), b))
}

func (f *fixture) fill() {
	notes := f.notes()
	f.append("notes", environment.Changes{
		Created: []string{"notes"}, Environments: []environment.Record{notes}, Resources: f.resources(), Operations: operations(),
	}, environment.Created{
		CommandID: "cmd-1", Operation: operation, Templates: notes.Templates, Parameters: notes.Parameters, Parallelism: 2, Epoch: 1,
		Nodes: []environment.Node{{Address: "notes.terraform.network", Type: environment.ResourceNode}},
	}, environment.StatusDeploying{Operation: operation}, environment.StepWaiting{
		Operation: operation, Step: "notes.terraform.network", Verb: event.Apply, Attempt: 1, AcceptBefore: began, Inputs: f.object("password"),
	})
	for i := range 7 {
		name := fmt.Sprintf("old-%d", i)
		status := environment.Destroyed
		if i == 0 {
			status = environment.Failed
		}
		f.append(name, environment.Changes{Created: []string{name}, Environments: []environment.Record{{
			Name: name, Status: status, CreatedAt: began, UpdatedAt: began, Partition: partition, Revision: f.seq + 1, Epoch: 1,
		}}}, environment.StatusDestroyed{Operation: "op-1"})
	}
	f.append("nobody", environment.Changes{}, environment.CommandRejected{
		CommandID: "cmd-9", Command: event.EnvironmentCreate, Error: fault.New(fault.Reject, fault.UnknownTemplate, "no such template"),
	})
	f.part()
	f.log(0, "Creating...", "Still creating...", "Created "+hostile)
}

// part sets an environment aside that the side which took over never had.
func (f *fixture) part() {
	data, err := json.Marshal(environment.Created{CommandID: "cmd-7", Operation: "op-1", Parameters: map[string]json.RawMessage{"password": f.sealed}, Epoch: 1,
		Nodes: []environment.Node{{Address: "notes.terraform.network", Type: environment.ResourceNode}}})
	require.NoError(f.t, err)
	entry := store.Entry{Partition: 0, Seq: 1, Environment: "lost", Type: environment.Created{}.Type(), Time: began, Epoch: 1, Operation: "op-1", Causation: "cmd-7", Data: data}
	rejected := store.Entry{Partition: 0, Seq: 2, Environment: "lost", Type: environment.CommandRejected{}.Type(), Time: began, Epoch: 1, Data: json.RawMessage(`{"command_id":"cmd-8"}`)}
	require.NoError(f.t, f.store.Append(context.Background(), store.Batch{Partition: 0, Epoch: 1, Entries: []store.Entry{entry, rejected}}))
	require.NoError(f.t, f.store.CutBack(context.Background(), store.Cut{Epoch: 1, Aside: store.Aside{ID: "0-1-e1", First: 1, Last: 2, Epoch: 1, Overtaken: 2, Time: began,
		Primary:      "http://10.1.0.4:8090",
		Environments: []store.AsideEnvironment{{Name: "lost", Entries: 2, After: environment.Deploying}},
		States:       []store.AsideState{{Environment: "lost", Step: "notes.terraform.network", Hash: "ab", Size: 4}}}}))
}

func (f *fixture) object(name string) json.RawMessage {
	return json.RawMessage(`{"` + name + `":` + string(f.sealed) + `,"plain":1}`)
}

func (f *fixture) notes() environment.Record {
	return environment.Record{
		Name: "notes", Status: environment.Deploying, Description: "Notes for the demo", Tags: []string{"team:notes", "demo"},
		Templates:  []environment.Template{{Name: "notes", Version: "1.2.0", Hash: "abc"}},
		Parameters: map[string]json.RawMessage{"password": f.sealed, "replicas": json.RawMessage("2")}, Outputs: f.object("token"),
		Groups:    []environment.Group{{Name: "network"}, {Name: hostile}, {Name: "empty"}},
		Operation: operation, Resources: map[environment.Status]int{environment.Pending: 6, environment.Deployed: 1}, CreatedAt: began,
		UpdatedAt: began, Partition: partition, Revision: 3, Epoch: 1,
	}
}

func operations() []environment.OperationRecord {
	end := began
	return []environment.OperationRecord{
		{ID: "op-1", Environment: "notes", Kind: environment.CreateOperation, Status: environment.OperationFailed, CommandID: "cmd-0",
			Parallelism: 2, StartedAt: began.Add(-time.Hour), FinishedAt: &end, Revision: 1},
		{ID: operation, Environment: "notes", Kind: environment.CreateOperation, Status: environment.OperationRunning, CommandID: "cmd-1",
			Parallelism: 2, Steps: map[environment.StepState]int{environment.StateBlocked: 3}, StartedAt: began, Revision: 3},
		{ID: "op-0", Environment: "notes", Kind: environment.PlanOperation, Status: environment.OperationSucceeded, CommandID: "cmd-9",
			Parallelism: 2, StartedAt: began.Add(-2 * time.Hour), FinishedAt: &end, Revision: 1, Plan: &environment.PlanRecord{
				Counts: map[event.Change]int{event.ChangeUpdate: 1}, Steps: []environment.PlannedStep{{Address: "notes.terraform.a",
					Type: environment.ResourceNode, Proposes: event.Apply, Plan: event.Plan{Change: event.ChangeUpdate}}}}},
	}
}

func (f *fixture) log(first int, lines ...string) {
	f.t.Helper()
	l := event.Logs{First: first, TaskRef: event.TaskRef{
		Environment: "notes", Operation: operation, Step: "notes.terraform.network", Attempt: 1, Partition: partition, Epoch: 1,
	}}
	for _, text := range lines {
		l.Lines = append(l.Lines, event.LogLine{Time: began, Stream: "out", Text: text})
	}
	require.NoError(f.t, f.store.AppendLogs(context.Background(), l))
}

// get asks for a path below /api/v1 and returns the answer with its whole body.
func (f *fixture) get(path string, headers ...string) (*http.Response, []byte) {
	f.t.Helper()
	return f.do(http.MethodGet, wire.Prefix+path, headers...)
}

func (f *fixture) do(method, path string, headers ...string) (*http.Response, []byte) {
	f.t.Helper()
	response := f.open(context.Background(), method, path, headers...)
	defer func() { require.NoError(f.t, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	require.NoError(f.t, err)
	return response, body
}

func (f *fixture) open(ctx context.Context, method, path string, headers ...string) *http.Response {
	f.t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, f.base+path, nil)
	require.NoError(f.t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(f.t, err)
	return response
}

// read asks for a path and decodes what has to be a good answer.
func read[T any](f *fixture, path string) T {
	f.t.Helper()
	response, body := f.get(path)
	require.Equal(f.t, http.StatusOK, response.StatusCode, string(body))
	var v T
	require.NoError(f.t, json.Unmarshal(body, &v))
	return v
}

// problem asks for a path and decodes what has to be a problem.
func (f *fixture) problem(status int, method, path string, headers ...string) wire.Problem {
	f.t.Helper()
	response, body := f.do(method, path, headers...)
	require.Equal(f.t, status, response.StatusCode, string(body))
	require.Equal(f.t, mimeProblem, response.Header.Get("Content-Type"))
	var p wire.Problem
	require.NoError(f.t, json.Unmarshal(body, &p))
	require.Equal(f.t, status, p.Status)
	require.NotEmpty(f.t, p.Detail)
	require.Equal(f.t, "urn:vivarium:problem:"+string(p.Code), p.Type)
	return p
}

// sse is one server-sent event, or a comment.
type sse struct{ id, event, data, comment string }

// events reads a stream until its end.
func events(t *testing.T, body io.Reader) <-chan sse {
	t.Helper()
	out := make(chan sse, 10000)
	go func() {
		defer close(out)
		var e sse
		lines := bufio.NewScanner(body)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			field, value, _ := strings.Cut(lines.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case lines.Text() == "":
				if e != (sse{}) {
					out <- e
				}
				e = sse{}
			case field == "":
				e.comment = value
			case field == "id":
				e.id = value
			case field == "event":
				e.event = value
			case field == "data":
				e.data = value
			}
		}
	}()
	return out
}

func next(t *testing.T, all <-chan sse) sse {
	t.Helper()
	select {
	case e, open := <-all:
		require.True(t, open, "the stream has ended")
		return e
	case <-time.After(patience):
		require.FailNow(t, "no event came")
		return sse{}
	}
}
