package client

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// API reads from a server. It is safe for concurrent use.
type API struct {
	base     string
	http     *http.Client
	patience time.Duration
}

// NewAPI makes a client of the server at baseURL, such as http://127.0.0.1:8090. A nil hc takes http.DefaultClient; one
// that is given should have no Timeout, which would cut streams off.
func NewAPI(baseURL string, hc *http.Client) *API {
	if hc == nil {
		hc = http.DefaultClient
	}
	return &API{base: strings.TrimSuffix(strings.TrimRight(baseURL, "/"), wire.Prefix) + wire.Prefix, http: hc}
}

// Patient is a client of the same server that waits for it, up to d each time that it reads, where it can't be reached or is not ready: for who
// knows that it was there, and may be replacing itself.
func (a *API) Patient(d time.Duration) *API {
	other := *a
	other.patience = d
	return &other
}

// Filter of environments; what is empty does not filter. Limit 0 is the server's.
type Filter struct {
	Statuses []environment.Status
	Tags     []string
	Text     string
	Template string
	Health   []string
	Drifted  *bool
	Sort     string   // name, status, created_at or updated_at, with a minus in front downwards
	Fields   []string // only these are filled in
	Cursor   string
	Limit    int
}

func (f Filter) query() url.Values {
	q := page(f.Cursor, f.Limit)
	for _, s := range f.Statuses {
		q.Add("status", string(s))
	}
	for _, t := range f.Tags {
		q.Add("tag", t)
	}
	set(q, "text", f.Text)
	set(q, "template", f.Template)
	for _, h := range f.Health {
		q.Add("health", h)
	}
	if f.Drifted != nil {
		q.Set("drifted", strconv.FormatBool(*f.Drifted))
	}
	set(q, "sort", f.Sort)
	set(q, "fields", strings.Join(f.Fields, ","))
	return q
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func page(cursor string, limit int) url.Values {
	q := url.Values{}
	set(q, "cursor", cursor)
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}

func after(n uint64, limit int) url.Values {
	q := page("", limit)
	if n > 0 {
		q.Set("after", strconv.FormatUint(n, 10))
	}
	return q
}

// Environments is one page; its Next is the Cursor of the following one.
func (a *API) Environments(ctx context.Context, f Filter) (wire.List[environment.Record], error) {
	return get[wire.List[environment.Record]](ctx, a, "/environments", f.query())
}

// Environment is one of them.
func (a *API) Environment(ctx context.Context, name string) (environment.Record, error) {
	return get[environment.Record](ctx, a, of(name), nil)
}

// EnvironmentDetail is one of them with what holds it up.
func (a *API) EnvironmentDetail(ctx context.Context, name string) (wire.EnvironmentDetail, error) {
	return get[wire.EnvironmentDetail](ctx, a, of(name), nil)
}

// Resources are all of an environment, in the order of their addresses.
func (a *API) Resources(ctx context.Context, name string) ([]environment.ResourceRecord, error) {
	return every[environment.ResourceRecord](ctx, a, of(name, "resources"))
}

// Resource is one by its address.
func (a *API) Resource(ctx context.Context, name, address string) (environment.ResourceRecord, error) {
	return get[environment.ResourceRecord](ctx, a, of(name, "resources", address), nil)
}

// Usage is what a resource uses now. The first answer may take some seconds; fault.NotMeasured says that nobody measures it.
func (a *API) Usage(ctx context.Context, name, address string) (wire.MeasuredUsage, error) {
	return get[wire.MeasuredUsage](ctx, a, of(name, "resources", address, "usage"), nil)
}

// Operations are all of an environment, newest first.
func (a *API) Operations(ctx context.Context, name string) ([]environment.OperationRecord, error) {
	return every[environment.OperationRecord](ctx, a, of(name, "operations"))
}

// Plan is what an operation of kind plan has found, once it is over.
func (a *API) Plan(ctx context.Context, name, operation string) (environment.PlanRecord, error) {
	return get[environment.PlanRecord](ctx, a, of(name, "operations", operation, "plan"), nil)
}

// Revisions are what an environment was to be, oldest first; secrets in them are hidden.
func (a *API) Revisions(ctx context.Context, name string) ([]history.Revision, error) {
	return every[history.Revision](ctx, a, of(name, "revisions"))
}

// Journal is one page of what happened to an environment behind a sequence; limit 0 is the server's.
func (a *API) Journal(ctx context.Context, name string, behind uint64, limit int) (wire.List[store.Entry], error) {
	return get[wire.List[store.Entry]](ctx, a, of(name, "journal"), after(behind, limit))
}

// LogFilter selects lines; what is empty does not.
type LogFilter struct {
	Operation string
	Step      string // address
	Attempt   int
	After     uint64 // id of a line
	Limit     int    // of a page; 0 is the server's
	// UntilSettled ends FollowLogs when the operation is over, or, with a Step, the selected attempts of the step are.
	UntilSettled bool
	// Missed is called by FollowLogs, between two lines, for lines that it does not get. Nil ignores them.
	Missed func(wire.Missed) error
}

// path of the lines: those of a step have their own.
func (f LogFilter) path(name string) string {
	if f.Step != "" {
		return of(name, "steps", f.Step, "logs")
	}
	return of(name, "logs")
}

func (f LogFilter) selection() url.Values {
	q := url.Values{}
	set(q, "operation", f.Operation)
	if f.Attempt > 0 {
		q.Set("attempt", strconv.Itoa(f.Attempt))
	}
	return q
}

// Logs is one page of lines.
func (a *API) Logs(ctx context.Context, name string, f LogFilter) (wire.List[store.LogRecord], error) {
	q := after(f.After, f.Limit)
	maps.Copy(q, f.selection())
	return get[wire.List[store.LogRecord]](ctx, a, f.path(name), q)
}

// Runners are those that the server has heard lately, by name.
func (a *API) Runners(ctx context.Context) ([]wire.Runner, error) {
	list, err := get[wire.List[wire.Runner]](ctx, a, "/runners", nil)
	return list.Items, err
}

// Health is how the server is, with its checks, open breakers, and pools without runners.
func (a *API) Health(ctx context.Context) (wire.Health, error) {
	return get[wire.Health](ctx, a, "/self/liveliness", url.Values{"type": {"detailed"}})
}

// Templates are those of the server's catalogue.
func (a *API) Templates(ctx context.Context) ([]wire.TemplateSummary, error) {
	return every[wire.TemplateSummary](ctx, a, "/templates")
}

// TemplateVersions are the versions of one, newest first.
func (a *API) TemplateVersions(ctx context.Context, name string) (wire.TemplateVersions, error) {
	return get[wire.TemplateVersions](ctx, a, "/templates/"+url.PathEscape(name), nil)
}

// Template is one version, opened. Without a version it is the newest.
func (a *API) Template(ctx context.Context, name, version string) (wire.Template, error) {
	if version == "" {
		all, err := a.TemplateVersions(ctx, name)
		if err != nil {
			return wire.Template{}, err
		}
		if len(all.Versions) == 0 {
			return wire.Template{}, fault.New(fault.Reject, fault.UnknownTemplate, "the template %q has no version", name)
		}
		version = all.Versions[0].Version
	}
	return get[wire.Template](ctx, a, "/templates/"+url.PathEscape(name)+"/"+url.PathEscape(version), nil)
}

// Info says who answers.
func (a *API) Info(ctx context.Context) (wire.Info, error) {
	return get[wire.Info](ctx, a, "/self/info", nil)
}

// Ready is nil when the server is; a server that is not there, or not ready, is fault.Unavailable.
func (a *API) Ready(ctx context.Context) error {
	_, err := get[wire.Health](ctx, a, "/self/readiness", nil)
	return err
}

// of is the path of an environment, and of what is below it.
func of(name string, below ...string) string {
	path := "/environments/" + url.PathEscape(name)
	for _, part := range below {
		path += "/" + url.PathEscape(part)
	}
	return path
}
