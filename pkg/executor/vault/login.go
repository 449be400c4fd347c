package vault

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// renewAgain is how long after a renewal that failed the next is tried.
const renewAgain = 5 * time.Second

// lease is the token in use.
type lease struct {
	generation int // grows with every login
	renewable  bool
	ttl        time.Duration // what the login gave; 0 is for ever, or not known
	due        time.Time     // when to renew; zero is never
}

func (c *Client) lock(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) unlock() { <-c.turn }

// ready makes sure that there is a token, and that it is renewed in time.
func (c *Client) ready(ctx context.Context) (lease, error) {
	if c.broken != nil {
		return lease{}, fault.Wrap(c.broken, fault.GiveUp, fault.Invalid, "the runner's settings of Vault can't be used: %s", c.broken)
	}
	if err := c.lock(ctx); err != nil {
		return lease{}, err
	}
	defer c.unlock()
	var err error
	switch {
	case c.lease.generation == 0 && c.o.logsIn():
		err = c.login(ctx)
	case c.lease.generation == 0:
		err = c.adoptToken(ctx)
	case !c.lease.due.IsZero() && !time.Now().Before(c.lease.due):
		err = c.renew(ctx)
	}
	return c.lease, err
}

// adoptToken learns how long the token that was given lives. One that may not even look itself up is used as it is:
// the first task will show whether it is any good.
func (c *Client) adoptToken(ctx context.Context) error {
	secret, err := c.api.Auth().Token().LookupSelfWithContext(ctx)
	if status(err) == statusForbidden {
		c.lease = lease{generation: 1}
		return nil
	}
	if err != nil {
		return c.explain(ctx, operation{what: "looking up the runner's token", path: "auth/token/lookup-self"}, err)
	}
	ttl, _ := secret.TokenTTL()
	renewable, _ := secret.TokenIsRenewable()
	c.hold(ttl, renewable)
	return nil
}

// hold notes a token with its life, as the first or the next.
func (c *Client) hold(ttl time.Duration, renewable bool) {
	c.lease = lease{generation: c.lease.generation + 1, renewable: renewable, ttl: ttl}
	c.schedule(ttl)
}

// schedule sets the next renewal to when a third of the life is left.
func (c *Client) schedule(ttl time.Duration) {
	c.lease.due = time.Time{}
	if ttl > 0 && (c.lease.renewable || c.o.logsIn()) {
		c.lease.due = time.Now().Add(ttl * 2 / 3)
	}
}

// renew prolongs the token, or replaces it where that is no longer possible. That Vault does not answer is not said
// here: the token may still be good, and the call that needs it will tell.
func (c *Client) renew(ctx context.Context) error {
	if !c.lease.renewable {
		return c.login(ctx)
	}
	secret, err := c.api.Auth().Token().RenewSelfWithContext(ctx, 0)
	switch {
	case err != nil && c.o.logsIn() && clientError(err):
		return c.login(ctx)
	case err != nil:
		c.o.Log.Warn("the token of Vault could not be renewed", "target", c.target(), "error", err)
		c.lease.due = time.Now().Add(renewAgain)
		return nil
	}
	ttl, _ := secret.TokenTTL()
	if ttl < c.lease.ttl/2 && c.o.logsIn() {
		return c.login(ctx) // it nears the end that no renewal moves
	}
	c.schedule(ttl)
	return nil
}

// login gets a new token.
func (c *Client) login(ctx context.Context) error {
	path, body, err := c.credentials()
	if err != nil {
		return err
	}
	secret, err := c.api.Logical().WriteWithContext(ctx, path, body)
	switch {
	case err != nil && clientError(err):
		return fault.Wrap(err, fault.GiveUp, LoginFailed,
			"%s refuses the login at %q: check the role, the credentials that log in and that they have not expired", c.target(), path)
	case err != nil:
		return c.explain(ctx, operation{what: "logging in", path: path, need: "update"}, err)
	case secret == nil || secret.Auth == nil || secret.Auth.ClientToken == "":
		return fault.New(fault.GiveUp, LoginFailed, "%s answered the login at %q without a token", c.target(), path)
	}
	c.adopt(secret.Auth)
	c.o.Log.Info("logged in to Vault", "target", c.target(), "method", path, "life", c.lease.ttl)
	return nil
}

func (c *Client) adopt(auth *api.SecretAuth) {
	c.api.SetToken(auth.ClientToken)
	c.hold(time.Duration(auth.LeaseDuration)*time.Second, auth.Renewable)
}

// credentials are the path and the body of a login.
func (c *Client) credentials() (string, map[string]any, error) {
	if r := c.o.AppRole; r != nil {
		return "auth/" + strings.Trim(r.Mount, "/") + "/login", map[string]any{"role_id": r.RoleID, "secret_id": r.SecretID}, nil
	}
	k := c.o.Kubernetes
	jwt, err := os.ReadFile(k.JWTFile)
	if err != nil {
		return "", nil, fault.Wrap(err, fault.GiveUp, LoginFailed,
			"the runner can't read the token of its service account, which it logs in to Vault with: see that it is mounted into the pod")
	}
	return "auth/" + strings.Trim(k.Mount, "/") + "/login", map[string]any{"role": k.Role, "jwt": strings.TrimSpace(string(jwt))}, nil
}

// reconsider is asked when a call with a token of the given generation was forbidden: is it the token that is bad? If
// so it gets a new one where it can, and again is true.
func (c *Client) reconsider(ctx context.Context, generation int) (again bool, err error) {
	if err := c.lock(ctx); err != nil {
		return false, err
	}
	defer c.unlock()
	if c.lease.generation != generation {
		return true, nil // somebody has logged in meanwhile
	}
	_, err = c.api.Auth().Token().LookupSelfWithContext(ctx)
	switch {
	case err == nil:
		return false, nil
	case status(err) != statusForbidden:
		return false, c.explain(ctx, operation{what: "looking up the runner's token", path: "auth/token/lookup-self"}, err)
	case c.o.logsIn():
		return true, c.login(ctx)
	default:
		return false, fault.Wrap(err, fault.GiveUp, LoginFailed,
			"%s does not accept the runner's token: it has expired or was revoked (or may not even look itself up); give the runner a new one", c.target())
	}
}

func number(v any) int {
	n, _ := v.(json.Number)
	i, _ := n.Int64()
	return int(i)
}
