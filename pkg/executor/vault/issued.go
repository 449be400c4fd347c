package vault

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// leaseAgain is how long after a renewal or a replacement that failed the next is tried.
const leaseAgain = 3 * time.Second

// Credential is what Vault has issued for a while: who, and with what.
type Credential struct {
	User, Password string
	// Spent is closed when there is another in its place, some time before its own end.
	Spent <-chan struct{}
}

// Issued are the credentials of one role of a secrets engine (rabbitmq or database). Their lease is renewed while it can be; before its
// end, and when somebody has revoked it, others are issued. While Vault does not answer, those that there are stay. Safe for
// concurrent use.
type Issued struct {
	c    *Client
	path string
	// Changed is called after others were issued; nil is nobody. To be set before Start.
	Changed func()

	turn  chan struct{} // has room for the one who talks to Vault
	mu    sync.Mutex
	now   Credential
	spent chan struct{}
	lease issuedLease

	wake   chan struct{} // has a value when there is a new lease
	cancel context.CancelFunc
	over   chan struct{}
}

type issuedLease struct {
	id        string
	renewable bool
	life      time.Duration // what it is given each time
	due       time.Time     // when it is to be renewed or replaced
}

// Issue is for credentials at a path such as rabbitmq/creds/ROLE. The client is theirs alone: Stop ends its token, and with it all that was issued.
func (c *Client) Issue(path string) *Issued {
	return &Issued{c: c, path: strings.Trim(path, "/"), turn: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
}

// Start begins to keep what is issued; nothing is until Get.
func (i *Issued) Start(ctx context.Context) error {
	if err := i.c.Start(ctx); err != nil {
		return err
	}
	ctx, i.cancel = context.WithCancel(context.Background())
	i.over = make(chan struct{})
	go i.keep(ctx, i.over)
	return nil
}

// Stop gives back what was issued, where Vault answers; else it ends by itself.
func (i *Issued) Stop(ctx context.Context) error {
	if i.cancel == nil {
		return nil
	}
	i.cancel()
	<-i.over
	i.cancel = nil
	err := i.c.Stop(ctx)
	if i.c.o.logsIn() {
		i.c.signOff(ctx)
	}
	return err
}

// Current is what was issued last, the zero value when nothing was yet.
func (i *Issued) Current() Credential {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now
}

// Get is who may connect now. refused is a user who just may not: then, and at first, others are issued.
func (i *Issued) Get(ctx context.Context, refused string) (Credential, error) {
	select {
	case i.turn <- struct{}{}:
	case <-ctx.Done():
		return Credential{}, fault.From(ctx.Err())
	}
	now := i.Current()
	if now.User != "" && now.User != refused {
		<-i.turn
		return now, nil
	}
	err := i.replace(ctx)
	<-i.turn
	if err != nil {
		return Credential{}, err
	}
	i.tell()
	return i.Current(), nil
}

func (i *Issued) tell() {
	if i.Changed != nil {
		i.Changed()
	}
}

// replace has others issued; who has the turn calls it.
func (i *Issued) replace(ctx context.Context) error {
	secret, err := i.session().get(ctx, "issuing credentials", i.path)
	if err = i.explain(secret, err); err != nil {
		return err
	}
	user, _ := secret.Data["username"].(string)
	password, _ := secret.Data["password"].(string)
	if user == "" || password == "" {
		return fault.New(fault.GiveUp, fault.Invalid, "%s has no username and password at %q: it has to be a role of the engine rabbitmq or database, such as rabbitmq/creds/vivarium", i.c.target(), i.path)
	}
	life := time.Duration(secret.LeaseDuration) * time.Second
	i.mu.Lock()
	if i.spent != nil {
		close(i.spent)
	}
	i.spent = make(chan struct{})
	i.now = Credential{User: user, Password: password, Spent: i.spent}
	i.lease = issuedLease{id: secret.LeaseID, renewable: secret.Renewable, life: life, due: dueIn(life)}
	i.mu.Unlock()
	select {
	case i.wake <- struct{}{}:
	default:
	}
	i.c.o.Log.Info("Vault has issued credentials", "target", i.c.target(), "path", i.path, "life", life)
	return nil
}

// explain says what is missing where Vault has nothing to issue.
func (i *Issued) explain(secret *api.Secret, err error) error {
	switch {
	case err == nil && secret == nil, fault.Is(err, fault.NotFound):
		return fault.Wrap(err, fault.GiveUp, fault.NotFound, "%s has no secrets engine at %q: enable it, with the role that is named", i.c.target(), i.path)
	case fault.Is(err, fault.Invalid) && status(err) == http.StatusBadRequest:
		return fault.Wrap(err, fault.GiveUp, fault.NotFound, "%s issues no credentials at %q%s: see that the role is there, and that the engine knows its server",
			i.c.target(), i.path, answered(err))
	}
	return err
}

func (i *Issued) session() session { return session{Client: i.c, r: executor.Request{}} }

// dueIn leaves a third of the life for what may be in the way.
func dueIn(life time.Duration) time.Time {
	if life <= 0 {
		return time.Time{}
	}
	return time.Now().Add(life * 2 / 3)
}

// keep renews and replaces until ctx ends.
func (i *Issued) keep(ctx context.Context, over chan<- struct{}) {
	defer close(over)
	for {
		i.mu.Lock()
		due := i.lease.due
		i.mu.Unlock()
		timer := time.NewTimer(time.Until(due))
		if due.IsZero() {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-i.wake:
			timer.Stop()
		case <-timer.C:
			i.prolong(ctx)
		}
	}
}

// prolong renews the lease, or has others issued where it would not live much longer, or is gone.
func (i *Issued) prolong(ctx context.Context) {
	select {
	case i.turn <- struct{}{}:
	case <-ctx.Done():
		return
	}
	i.mu.Lock()
	l := i.lease
	i.mu.Unlock()
	if time.Now().Before(l.due) { // somebody has replaced them meanwhile
		<-i.turn
		return
	}
	life, err := i.renew(ctx, l)
	replaced := false
	if err == nil && life*10 < l.life*9 {
		err = i.replace(ctx)
		replaced = err == nil
	} else if err == nil {
		i.schedule(dueIn(life))
	}
	if err != nil {
		i.schedule(time.Now().Add(leaseAgain))
		if ctx.Err() == nil {
			i.c.o.Log.Warn("Vault neither renews nor replaces credentials; going on with those that there are", "target", i.c.target(), "path", i.path, "error", err)
		}
	}
	<-i.turn
	if replaced {
		i.tell()
	}
}

func (i *Issued) schedule(due time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lease.due = due
}

// renew returns how long the lease lives now: not at all when Vault has it no more, or does not let us. An error is that Vault could not say.
func (i *Issued) renew(ctx context.Context, l issuedLease) (time.Duration, error) {
	if !l.renewable || l.id == "" {
		return 0, nil
	}
	body := map[string]any{"lease_id": l.id, "increment": int(l.life / time.Second)}
	secret, err := i.session().put(ctx, "renewing a lease", "sys/leases/renew", body)
	var f *fault.Error
	switch {
	case errors.As(err, &f) && f.Disposition == fault.GiveUp:
		i.c.o.Log.Info("Vault does not renew credentials, so that others are issued", "target", i.c.target(), "path", i.path, "reason", f.Message)
		return 0, nil
	case err != nil:
		return 0, err
	case secret == nil:
		return 0, nil
	}
	return time.Duration(secret.LeaseDuration) * time.Second, nil
}

// signOff ends the token, and with it all that was issued for it.
func (c *Client) signOff(ctx context.Context) {
	if c.lock(ctx) != nil {
		return
	}
	defer c.unlock()
	if c.lease.generation == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := c.api.Auth().Token().RevokeSelfWithContext(ctx, ""); err != nil {
		c.o.Log.Debug("the token of Vault ends by itself", "target", c.target(), "error", err)
	}
	c.lease = lease{}
	c.transport.CloseIdleConnections()
}
