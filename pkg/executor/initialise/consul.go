package initialise

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/hcl/v2/hcldec"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// ConsulName is the name of the kind that makes a Consul ready: its access control, a token for whoever uses it, and
// one for its agent.
const ConsulName = "consul_cluster"

type consulBlock struct {
	Address string `json:"address"`
	// CA is what a certificate of Consul's is checked with, in PEM.
	CA              string `json:"ca"`
	ManagementToken string `json:"management_token"`
	Name            string `json:"name"`
	Token           string `json:"token"`
	Rules           string `json:"rules"`
	AgentToken      string `json:"agent_token"`
}

// agentRules are what an agent needs to keep itself registered.
const agentRules = `node_prefix "" { policy = "write" }
service_prefix "" { policy = "read" }
`

func consulKind() template.Kind {
	return kindOf(ConsulName, hcldec.ObjectSpec{
		"address": required("address"), "ca": optional("ca"), "management_token": required("management_token"), "name": required("name"),
		"token": required("token"), "rules": required("rules"), "agent_token": required("agent_token"),
	}, map[string]template.Output{
		"address":    shown("The address of Consul."),
		"datacenter": shown("The datacentre that the agent is in."),
		"name":       shown("The name of policy and token."),
	})
}

type consulWork struct {
	r      executor.Request
	b      consulBlock
	consul *api.Client
}

func beginConsul(o Options, r executor.Request) (work, error) {
	w := &consulWork{r: r}
	if err := read(r, ConsulName, &w.b); err != nil {
		return nil, err
	}
	b := w.b
	if err := need(r, "address", b.Address, "management_token", b.ManagementToken, "name", b.Name, "token", b.Token, "agent_token", b.AgentToken); err != nil {
		return nil, err
	}
	o, err := o.trusting(r, b.CA)
	if err != nil {
		return nil, err
	}
	c := &api.Config{Address: b.Address, Token: b.ManagementToken, HttpClient: caller(o)}
	if w.consul, err = api.NewClient(c); err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "address of %s is no address of a Consul, such as 127.0.0.1:8500", r.Step)
	}
	return w, nil
}

// account is a policy with a token that has it.
type account struct{ name, rules, token string }

func (w *consulWork) accounts() []account {
	return []account{{w.b.Name, w.b.Rules, w.b.Token}, {w.b.Name + "-agent", agentRules, w.b.AgentToken}}
}

func (w *consulWork) query(ctx context.Context) *api.QueryOptions {
	return (&api.QueryOptions{}).WithContext(ctx)
}

func (w *consulWork) write(ctx context.Context) *api.WriteOptions {
	return (&api.WriteOptions{}).WithContext(ctx)
}

// apply has access control begin with the token that we know beforehand, so that no attempt can lose it.
func (w *consulWork) apply(ctx context.Context) (executor.Outputs, error) {
	if err := w.bootstrap(ctx); err != nil {
		return nil, err
	}
	for _, a := range w.accounts() {
		if err := w.grant(ctx, a); err != nil {
			return nil, err
		}
	}
	if _, err := w.consul.Agent().UpdateAgentACLToken(w.b.AgentToken, w.write(ctx)); err != nil {
		return nil, w.fault(err, "giving the agent its token")
	}
	self, err := w.consul.Agent().Self()
	if err != nil {
		return nil, w.fault(err, "asking the agent for its datacentre")
	}
	datacenter, _ := self["Config"]["Datacenter"].(string)
	return values(w.r, map[string]string{"address": w.b.Address, "datacenter": datacenter, "name": w.b.Name}), nil
}

func (w *consulWork) bootstrap(ctx context.Context) error {
	ours, err := w.initialised(ctx)
	if err != nil || ours {
		return err
	}
	_, _, err = w.consul.ACL().BootstrapWithToken(w.b.ManagementToken)
	switch code := statusOf(err); {
	case err == nil:
		w.r.Log("out", "access control begins")
		return nil
	case code == http.StatusForbidden:
		if ours, again := w.initialised(ctx); again == nil && ours {
			return nil // another attempt has come first
		}
		return fault.New(fault.GiveUp, fault.Exists, "Consul at %s has been initialised by somebody else, and this management token is none of its: "+
			"use a Consul that holds nothing yet", w.b.Address)
	case code == http.StatusUnauthorized:
		return fault.New(fault.GiveUp, fault.Invalid, "access control is not enabled in Consul at %s: its configuration needs acl { enabled = true }", w.b.Address)
	}
	return w.fault(err, "beginning access control")
}

// initialised tells whether our management token is good. A Consul without a leader is waited for.
func (w *consulWork) initialised(ctx context.Context) (bool, error) {
	_, _, err := w.consul.ACL().TokenReadSelf(w.query(ctx))
	switch code := statusOf(err); {
	case err == nil:
		return true, nil
	case code == http.StatusForbidden || code == http.StatusNotFound || code == http.StatusUnauthorized:
		return false, nil
	}
	return false, w.fault(err, "asking who may do what")
}

func (w *consulWork) grant(ctx context.Context, a account) error {
	policy, err := w.policy(ctx, a)
	if err != nil {
		return err
	}
	if policy == nil {
		policy = &api.ACLPolicy{Name: a.name, Description: mark(w.r), Rules: a.rules}
		if policy, _, err = w.consul.ACL().PolicyCreate(policy, w.write(ctx)); err != nil {
			return w.fault(err, "making a policy")
		}
		w.r.Log("out", "policy "+a.name+" is made")
	} else if policy.Rules != a.rules {
		policy.Rules = a.rules
		if _, _, err = w.consul.ACL().PolicyUpdate(policy, w.write(ctx)); err != nil {
			return w.fault(err, "changing a policy")
		}
		w.r.Log("out", "policy "+a.name+" is changed")
	}
	return w.token(ctx, a, policy)
}

// token has exactly one token of the step for the account, with the secret that is wanted.
func (w *consulWork) token(ctx context.Context, a account, policy *api.ACLPolicy) error {
	there, stale, err := w.tokens(ctx, a)
	if err != nil {
		return err
	}
	for _, t := range stale {
		if _, err := w.consul.ACL().TokenDelete(t.AccessorID, w.write(ctx)); err != nil {
			return w.fault(err, "removing a token that is no longer wanted")
		}
	}
	if there != nil && linked(there, policy) {
		return nil
	}
	token := &api.ACLToken{Description: mark(w.r) + " " + a.name, SecretID: a.token, Policies: []*api.ACLLink{{ID: policy.ID}}}
	if there == nil {
		_, _, err = w.consul.ACL().TokenCreate(token, w.write(ctx))
	} else {
		token.AccessorID = there.AccessorID
		_, _, err = w.consul.ACL().TokenUpdate(token, w.write(ctx))
	}
	if err != nil {
		return w.fault(err, "making a token")
	}
	w.r.Log("out", "token "+a.name+" is made")
	return nil
}

func linked(t *api.ACLToken, p *api.ACLPolicy) bool {
	return len(t.Policies) == 1 && t.Policies[0].Name == p.Name && len(t.Roles) == 0
}

// policy is that of the account, nil where there is none.
func (w *consulWork) policy(ctx context.Context, a account) (*api.ACLPolicy, error) {
	p, _, err := w.consul.ACL().PolicyReadByName(a.name, w.query(ctx))
	switch {
	case statusOf(err) == http.StatusNotFound || err == nil && p == nil:
		return nil, nil
	case err != nil:
		return nil, w.fault(err, "reading a policy")
	case p.Description != mark(w.r):
		return nil, fault.New(fault.GiveUp, fault.Exists, "Consul at %s has a policy %q, which is not this step's: choose another name", w.b.Address, a.name)
	}
	return p, nil
}

// tokens are the one with the secret that is wanted, and others of the step for the same account.
func (w *consulWork) tokens(ctx context.Context, a account) (there *api.ACLToken, stale []*api.ACLToken, err error) {
	list, _, err := w.consul.ACL().TokenList(w.query(ctx))
	if err != nil {
		return nil, nil, w.fault(err, "listing tokens")
	}
	for _, entry := range list {
		if entry.Description != mark(w.r)+" "+a.name {
			continue
		}
		t, _, err := w.consul.ACL().TokenRead(entry.AccessorID, w.query(ctx))
		switch {
		case err != nil:
			return nil, nil, w.fault(err, "reading a token")
		case t.SecretID == a.token && there == nil:
			there = t
		default:
			stale = append(stale, t)
		}
	}
	return there, stale, nil
}

func (w *consulWork) look(ctx context.Context) (f found, err error) {
	ours, err := w.initialised(ctx)
	if err != nil || !ours {
		f.differences = append(f.differences, missing(w.r, "acl"))
		return f, err
	}
	for _, a := range w.accounts() {
		policy, err := w.policy(ctx, a)
		if err != nil {
			return f, err
		}
		there, stale, err := w.tokens(ctx, a)
		if err != nil {
			return f, err
		}
		f.present = f.present || policy != nil || there != nil || len(stale) > 0
		switch {
		case policy == nil:
			f.differences = append(f.differences, missing(w.r, "policy."+a.name))
		case policy.Rules != a.rules:
			f.differences = append(f.differences, other(w.r, "policy."+a.name+".rules"))
		}
		switch {
		case there == nil && len(stale) == 0:
			f.differences = append(f.differences, missing(w.r, "token."+a.name))
		case there == nil || len(stale) > 0 || policy != nil && !linked(there, policy):
			f.differences = append(f.differences, other(w.r, "token."+a.name))
		}
	}
	return f, nil
}

func (w *consulWork) remove(ctx context.Context) error {
	ours, err := w.initialised(ctx)
	if err != nil || !ours {
		return err
	}
	for _, a := range w.accounts() {
		there, stale, err := w.tokens(ctx, a)
		if err != nil {
			return err
		}
		if there != nil {
			stale = append(stale, there)
		}
		for _, t := range stale {
			if _, err := w.consul.ACL().TokenDelete(t.AccessorID, w.write(ctx)); err != nil {
				return w.fault(err, "removing a token")
			}
		}
		policy, err := w.policy(ctx, a)
		switch {
		case err != nil:
			return err
		case policy == nil:
			continue
		}
		if _, err := w.consul.ACL().PolicyDelete(policy.ID, w.write(ctx)); err != nil {
			return w.fault(err, "removing a policy")
		}
	}
	return nil
}

// statusOf is the HTTP status of an answer that was an error, 0 for anything else.
func statusOf(err error) int {
	var s api.StatusError
	if errors.As(err, &s) {
		return s.Code
	}
	return 0
}

func (w *consulWork) fault(err error, what string) error {
	switch code := statusOf(err); {
	case code == 0:
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "Consul at %s does not answer: see that it runs and can be reached from the runner", w.b.Address)
	case code >= http.StatusInternalServerError && strings.Contains(err.Error(), "ACL not found"):
		return fault.Wrap(err, fault.GiveUp, fault.Exists, "Consul at %s does not know the management token", w.b.Address)
	case code >= http.StatusInternalServerError:
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "Consul at %s is not ready (%s); it may have no leader yet", w.b.Address, what)
	default:
		return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed, "Consul at %s refuses %s", w.b.Address, what)
	}
}
