package vault

import (
	"errors"
	"log/slog"
	"net/url"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// retries of every kind: cheap to repeat.
var retries = &environment.RetryPolicy{Attempts: 5, Backoff: 500 * time.Millisecond, MaxBackoff: 30 * time.Second}

// Options say where Vault is and who the runner is there. Exactly one of Token, AppRole and Kubernetes is given.
type Options struct {
	// Address is the URL of Vault, such as https://vault.example.test:8200.
	Address string
	// Namespace of Vault Enterprise, "" for none.
	Namespace string
	// Token is renewed while it can be; once it is gone, somebody has to give the runner another.
	Token string
	// AppRole and Kubernetes are logins, which are repeated when the token they gave is gone.
	AppRole    *AppRole
	Kubernetes *Kubernetes
	// CAFile has the PEM certificates that Vault's own is verified with; "" takes those of the system.
	CAFile string
	// Timeout bounds one request to Vault; 15 seconds unless given.
	Timeout time.Duration
	// Log of the process; nothing secret goes there. It is discarded unless given.
	Log *slog.Logger
	// Now is the clock by which certificates are renewed; time.Now unless given.
	Now func() time.Time
}

// AppRole is a login with a role's id and one of its secret ids.
type AppRole struct {
	RoleID   string
	SecretID string
	// Mount is where the method is enabled; "approle" unless given.
	Mount string
}

// Kubernetes is a login with the token of the pod's service account.
type Kubernetes struct {
	Role string
	// JWTFile is read at every login, since Kubernetes replaces the token in it;
	// /var/run/secrets/kubernetes.io/serviceaccount/token unless given.
	JWTFile string
	// Mount is where the method is enabled; "kubernetes" unless given.
	Mount string
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AppRole != nil {
		role := *o.AppRole
		role.Mount = orElse(role.Mount, "approle")
		o.AppRole = &role
	}
	if o.Kubernetes != nil {
		k := *o.Kubernetes
		k.Mount = orElse(k.Mount, "kubernetes")
		k.JWTFile = orElse(k.JWTFile, "/var/run/secrets/kubernetes.io/serviceaccount/token")
		o.Kubernetes = &k
	}
	return o
}

func (o Options) check() error {
	if u, err := url.Parse(o.Address); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("the address of Vault has to be a URL such as https://vault.example.test:8200")
	}
	ways := 0
	for _, given := range []bool{o.Token != "", o.AppRole != nil, o.Kubernetes != nil} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("the runner logs in to Vault in one of three ways, so give exactly one: a token, an AppRole or a Kubernetes role")
	}
	return nil
}

// logsIn tells whether a new token can be had without asking anybody.
func (o Options) logsIn() bool { return o.AppRole != nil || o.Kubernetes != nil }

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
