package initialise

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"

	"github.com/hashicorp/hcl/v2/hcldec"
	rabbithole "github.com/michaelklishin/rabbit-hole/v3"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// RabbitName is the name of the kind that makes a RabbitMQ ready: a virtual host, and a user who may do everything in it.
const RabbitName = "rabbitmq_cluster"

type rabbitBlock struct {
	// Address is the URL of the management plugin, whose certificate is checked with CA.
	Address       string `json:"address"`
	CA            string `json:"ca"`
	Administrator string `json:"administrator"`
	Password      string `json:"password"`
	Host          string `json:"virtual_host"`
	User          string `json:"user"`
	UserPassword  string `json:"user_password"`
}

func rabbitKind() template.Kind {
	return kindOf(RabbitName, hcldec.ObjectSpec{
		"address": required("address"), "ca": optional("ca"), "administrator": required("administrator"), "password": required("password"),
		"virtual_host": required("virtual_host"), "user": required("user"), "user_password": required("user_password"),
	}, map[string]template.Output{
		"address":      shown("The URL of the management plugin."),
		"virtual_host": shown("The virtual host."),
		"user":         shown("Who may do everything in it."),
	})
}

type rabbitWork struct {
	r      executor.Request
	b      rabbitBlock
	broker *rabbithole.Client
	user   *rabbithole.Client
}

func beginRabbit(o Options, r executor.Request) (work, error) {
	w := &rabbitWork{r: r}
	if err := read(r, RabbitName, &w.b); err != nil {
		return nil, err
	}
	b := w.b
	if err := need(r, "address", b.Address, "administrator", b.Administrator, "password", b.Password, "virtual_host", b.Host, "user", b.User, "user_password", b.UserPassword); err != nil {
		return nil, err
	}
	o, err := o.trusting(r, b.CA)
	if err != nil {
		return nil, err
	}
	var err2 error
	w.broker, err = rabbithole.NewClient(b.Address, b.Administrator, b.Password)
	w.user, err2 = rabbithole.NewClient(b.Address, b.User, b.UserPassword)
	if err = errors.Join(err, err2); err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "address of %s is no URL of a RabbitMQ's management plugin, such as http://127.0.0.1:15672", r.Step)
	}
	for _, c := range []*rabbithole.Client{w.broker, w.user} {
		c.SetTransport(transport(o))
		c.SetTimeout(o.Timeout)
	}
	return w, nil
}

func (w *rabbitWork) apply(ctx context.Context) (executor.Outputs, error) {
	if err := bring(ctx, w.look, w.make); err != nil {
		return nil, err
	}
	return values(w.r, map[string]string{"address": w.b.Address, "virtual_host": w.b.Host, "user": w.b.User}), nil
}

func (w *rabbitWork) make(ctx context.Context) error {
	steps := []struct {
		what string
		do   func() (*http.Response, error)
	}{
		{"virtual host " + w.b.Host, func() (*http.Response, error) {
			return w.broker.PutVhost(w.b.Host, rabbithole.VhostSettings{Description: mark(w.r), Tags: rabbithole.VhostTags{"vivarium"}, DefaultQueueType: "quorum"})
		}},
		{"user " + w.b.User, func() (*http.Response, error) {
			return w.broker.PutUser(w.b.User, rabbithole.UserSettings{Name: w.b.User, Password: w.b.UserPassword, Tags: rabbithole.UserTags{"management", mark(w.r)}})
		}},
		{"permissions of " + w.b.User, func() (*http.Response, error) {
			return w.broker.UpdatePermissionsIn(w.b.Host, w.b.User, rabbithole.Permissions{Configure: ".*", Write: ".*", Read: ".*"})
		}},
	}
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return fault.From(err)
		}
		answer, err := s.do()
		if answer != nil {
			_ = answer.Body.Close()
		}
		if err := w.fault(answer, err, "making "+s.what); err != nil {
			return err
		}
		w.r.Log("out", w.r.Mask(s.what+" is made"))
	}
	return nil
}

func (w *rabbitWork) look(ctx context.Context) (f found, err error) {
	if err := ctx.Err(); err != nil {
		return f, fault.From(err)
	}
	host, err := w.broker.GetVhost(w.b.Host)
	switch {
	case absent(err):
		f.differences = append(f.differences, missing(w.r, "virtual_host."+w.b.Host))
	case err != nil:
		return f, w.fault(nil, err, "reading the virtual host")
	case host.Description != mark(w.r):
		return f, w.taken("virtual host " + w.b.Host)
	default:
		f.present = true
	}
	user, err := w.broker.GetUser(w.b.User)
	switch {
	case absent(err):
		f.differences = append(f.differences, missing(w.r, "user."+w.b.User))
		return f, nil
	case err != nil:
		return f, w.fault(nil, err, "reading the user")
	case !slices.Contains(user.Tags, mark(w.r)):
		return f, w.taken("user " + w.b.User)
	}
	f.present = true
	return f, w.lookAtRights(&f)
}

func (w *rabbitWork) lookAtRights(f *found) error {
	if _, err := w.user.Whoami(); err != nil {
		f.differences = append(f.differences, other(w.r, "user."+w.b.User+".password"))
	}
	rights, err := w.broker.GetPermissionsIn(w.b.Host, w.b.User)
	switch {
	case absent(err):
		f.differences = append(f.differences, missing(w.r, "permissions."+w.b.User))
	case err != nil:
		return w.fault(nil, err, "reading permissions")
	case rights.Configure != ".*" || rights.Read != ".*" || rights.Write != ".*":
		f.differences = append(f.differences, other(w.r, "permissions."+w.b.User))
	}
	return nil
}

func (w *rabbitWork) remove(ctx context.Context) error {
	f, err := w.look(ctx)
	if err != nil || !f.present {
		return err
	}
	for _, remove := range []func() (*http.Response, error){
		func() (*http.Response, error) { return w.broker.DeleteUser(w.b.User) },
		func() (*http.Response, error) { return w.broker.DeleteVhost(w.b.Host) },
	} {
		answer, err := remove()
		if answer != nil {
			_ = answer.Body.Close()
		}
		if absent(err) || answer != nil && answer.StatusCode == http.StatusNotFound {
			continue
		}
		if err := w.fault(answer, err, "removing user and virtual host"); err != nil {
			return err
		}
	}
	return nil
}

func (w *rabbitWork) taken(what string) error {
	return fault.New(fault.GiveUp, fault.Exists, "RabbitMQ at %s has a %s, which is not this step's: use a broker that holds nothing yet", w.b.Address, w.r.Mask(what))
}

func absent(err error) bool {
	var answer rabbithole.ErrorResponse
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

func (w *rabbitWork) fault(answer *http.Response, err error, what string) error {
	code := 0
	var refusal rabbithole.ErrorResponse
	switch {
	case errors.As(err, &refusal):
		code = refusal.StatusCode
	case answer != nil:
		code = answer.StatusCode
	}
	var unreachable net.Error
	what = w.r.Mask(what)
	switch {
	case err == nil && code < http.StatusBadRequest:
		return nil
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fault.Wrap(err, fault.GiveUp, fault.Exists, "RabbitMQ at %s does not know this administrator: somebody else has initialised it; use a broker that holds nothing yet", w.b.Address)
	case code == 0 && errors.As(err, &unreachable):
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "the management plugin of RabbitMQ at %s does not answer: see that it runs and can be reached from the runner", w.b.Address)
	case code == 0 || code >= http.StatusInternalServerError:
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "RabbitMQ at %s is not ready (%s)", w.b.Address, what)
	}
	return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed, "RabbitMQ at %s refuses %s", w.b.Address, what)
}
