package initialise

import (
	"context"
	"net/http"
	"net/url"

	"github.com/arangodb/go-driver/v2/arangodb"
	"github.com/arangodb/go-driver/v2/arangodb/shared"
	"github.com/arangodb/go-driver/v2/connection"
	"github.com/hashicorp/hcl/v2/hcldec"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// ArangoName is the name of the kind that makes an ArangoDB ready: a database on one shard, and a user who may do everything in it.
const ArangoName = "arangodb_database"

type arangoBlock struct {
	// Address is the URL of a coordinator, or of a server alone, whose certificate is checked with CA.
	Address       string `json:"address"`
	CA            string `json:"ca"`
	Administrator string `json:"administrator"`
	Password      string `json:"password"`
	Database      string `json:"database"`
	User          string `json:"user"`
	UserPassword  string `json:"user_password"`
}

func arangoKind() template.Kind {
	return kindOf(ArangoName, hcldec.ObjectSpec{
		"address": required("address"), "ca": optional("ca"), "administrator": required("administrator"), "password": required("password"),
		"database": required("database"), "user": required("user"), "user_password": required("user_password"),
	}, map[string]template.Output{
		"address":  shown("The server's URL."),
		"database": shown("The database."),
		"user":     shown("Who may do everything in it."),
	})
}

type arangoWork struct {
	r     executor.Request
	b     arangoBlock
	admin arangodb.Client
	user  arangodb.Client
}

// note is what the user has among its data: databases themselves can have no mark, so the user's stands for both.
type note struct {
	Owner    string `json:"vivarium"`
	Database string `json:"database"`
}

func beginArango(o Options, r executor.Request) (work, error) {
	w := &arangoWork{r: r}
	if err := read(r, ArangoName, &w.b); err != nil {
		return nil, err
	}
	b := w.b
	if err := need(r, "address", b.Address, "administrator", b.Administrator, "password", b.Password, "database", b.Database, "user", b.User, "user_password", b.UserPassword); err != nil {
		return nil, err
	}
	if at, err := url.Parse(b.Address); err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || at.User != nil {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "address of %s is no URL of an ArangoDB, such as http://127.0.0.1:8529", r.Step)
	}
	o, err := o.trusting(r, b.CA)
	if err != nil {
		return nil, err
	}
	w.admin, w.user = b.client(o, b.Administrator, b.Password), b.client(o, b.User, b.UserPassword)
	return w, nil
}

func (b arangoBlock) client(o Options, user, password string) arangodb.Client {
	t := transport(o)
	t.ResponseHeaderTimeout = o.Timeout
	return arangodb.NewClient(connection.NewHttpConnection(connection.HttpConfiguration{
		Endpoint: connection.NewRoundRobinEndpoints([]string{b.Address}), ContentType: connection.ApplicationJSON,
		Authentication: connection.NewBasicAuth(user, password), Transport: t,
	}))
}

func (w *arangoWork) look(ctx context.Context) (f found, err error) {
	exists, err := w.admin.DatabaseExists(ctx, w.b.Database)
	if err != nil {
		return f, w.fault(ctx, err, "reading the database")
	}
	user, err := w.admin.User(ctx, w.b.User)
	switch {
	case shared.IsNotFound(err) && exists:
		return f, w.taken("database " + w.b.Database)
	case shared.IsNotFound(err):
		f.differences = append(f.differences, missing(w.r, "user."+w.b.User), missing(w.r, "database."+w.b.Database))
		return f, nil
	case err != nil:
		return f, w.fault(ctx, err, "reading the user")
	}
	var n note
	if user.Extra(&n) != nil || n.Owner != mark(w.r) || n.Database != w.b.Database {
		return f, w.taken("user " + w.b.User)
	}
	f.present = true
	if !exists {
		f.differences = append(f.differences, missing(w.r, "database."+w.b.Database))
		return f, nil
	}
	return f, w.lookAtRights(ctx, user, &f)
}

func (w *arangoWork) lookAtRights(ctx context.Context, user arangodb.User, f *found) error {
	grant, err := user.GetDatabaseAccess(ctx, w.b.Database)
	if err != nil {
		return w.fault(ctx, err, "reading permissions")
	}
	if grant != arangodb.GrantReadWrite || !user.IsActive() {
		f.differences = append(f.differences, other(w.r, "permissions."+w.b.User))
		return nil
	}
	_, err = w.user.GetDatabase(ctx, w.b.Database, nil)
	if shared.IsUnauthorized(err) {
		f.differences = append(f.differences, other(w.r, "user."+w.b.User+".password"))
		return nil
	}
	return w.fault(ctx, err, "logging in as the user")
}

func (w *arangoWork) apply(ctx context.Context) (executor.Outputs, error) {
	if err := bring(ctx, w.look, w.make); err != nil {
		return nil, err
	}
	return values(w.r, map[string]string{"address": w.b.Address, "database": w.b.Database, "user": w.b.User}), nil
}

// make has the user before the database, for whoever is interrupted finds by the user that the database is the step's.
func (w *arangoWork) make(ctx context.Context) error {
	active := true
	options := &arangodb.UserOptions{Password: w.b.UserPassword, Active: &active, Extra: note{mark(w.r), w.b.Database}}
	user, err := w.admin.CreateUser(ctx, w.b.User, options)
	if shared.IsConflict(err) {
		user, err = w.admin.ReplaceUser(ctx, w.b.User, options)
	}
	if err != nil {
		return w.fault(ctx, err, "making the user")
	}
	w.r.Log("out", w.r.Mask("user "+w.b.User+" is made"))
	_, err = w.admin.CreateDatabase(ctx, w.b.Database, &arangodb.CreateDatabaseOptions{
		Users:   []arangodb.CreateDatabaseUserOptions{{UserName: w.b.Administrator, Password: w.b.Password}}, // or it would make one without a password
		Options: arangodb.CreateDatabaseDefaultOptions{Sharding: arangodb.DatabaseShardingSingle},
	})
	if err != nil && !shared.IsConflict(err) {
		return w.fault(ctx, err, "making the database")
	}
	w.r.Log("out", w.r.Mask("database "+w.b.Database+" is made"))
	return w.fault(ctx, user.SetDatabaseAccess(ctx, w.b.Database, arangodb.GrantReadWrite), "granting access")
}

func (w *arangoWork) remove(ctx context.Context) error {
	f, err := w.look(ctx)
	if err != nil || !f.present {
		return err
	}
	db, err := w.admin.GetDatabase(ctx, w.b.Database, nil)
	if err == nil {
		err = db.Remove(ctx)
	}
	if err != nil && !shared.IsNotFound(err) {
		return w.fault(ctx, err, "removing the database")
	}
	if err := w.admin.RemoveUser(ctx, w.b.User); err != nil && !shared.IsNotFound(err) {
		return w.fault(ctx, err, "removing the user")
	}
	return nil
}

func (w *arangoWork) taken(what string) error {
	return fault.New(fault.GiveUp, fault.Exists, "ArangoDB at %s has a %s, which is not this step's: use names that nobody has there", w.b.Address, w.r.Mask(what))
}

func (w *arangoWork) fault(ctx context.Context, err error, what string) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case shared.IsUnauthorized(err), shared.IsForbidden(err):
		return fault.Wrap(err, fault.GiveUp, fault.Exists, "ArangoDB at %s does not take the administrator's password, or does not let it do this (%s)", w.b.Address, what)
	}
	known, refusal := shared.IsArangoError(err)
	switch {
	case !known:
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "ArangoDB at %s does not answer: see that it runs and can be reached from the runner", w.b.Address)
	case refusal.Code >= http.StatusInternalServerError:
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "ArangoDB at %s is not ready (%s)", w.b.Address, what)
	}
	return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed, "ArangoDB at %s refuses %s (its error %d)", w.b.Address, what, refusal.ErrorNum)
}
