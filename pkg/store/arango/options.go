package arango

import (
	"crypto/tls"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Options of a store. Endpoints and Database are required.
type Options struct {
	// Endpoints are http:// or https:// URLs of servers or coordinators, all of one deployment. Requests go to the first
	// that answers, and to the next when it does not.
	Endpoints []string
	// Database is made when it is not there, which needs a user who may.
	Database string
	// User and Password get a token from the server (JWT), or are sent with every request when Basic is set. Without a user
	// nothing is sent.
	User, Password string
	Basic          bool
	// Token, when set, is sent instead; where it comes from is the caller's.
	Token string
	// TLS for https endpoints; nil takes the system's certificates.
	TLS *tls.Config
	// Log takes what nobody else hears of; nil discards it.
	Log *slog.Logger
	// StepLogLines and EnvironmentLogLines bound the log lines that are kept; 0 takes 10,000 and 200,000. A tenth more may be
	// there between two prunings.
	StepLogLines, EnvironmentLogLines int
	// LogRetention is how long log lines are kept; 0 takes 30 days. It is fixed when the database is made.
	LogRetention time.Duration
	// Attempts of an operation that met a conflict or a server that was away; 0 takes 8.
	Attempts int

	backoff time.Duration // tests wait less
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.StepLogLines <= 0 {
		o.StepLogLines = 10_000
	}
	if o.EnvironmentLogLines <= 0 {
		o.EnvironmentLogLines = 200_000
	}
	if o.LogRetention <= 0 {
		o.LogRetention = 30 * 24 * time.Hour
	}
	if o.Attempts <= 0 {
		o.Attempts = 8
	}
	if o.backoff <= 0 {
		o.backoff = 20 * time.Millisecond
	}
	return o
}

const form = "arangodb://USER:PASSWORD@HOST:8529/DATABASE (arangodb+tls:// for TLS; several hosts with commas; ?auth=basic)"

// ParseURL reads an address such as arangodb://user:password@host1:8529,host2:8529/vivarium. Its errors are
// fault.Invalid and never repeat the password.
func ParseURL(address string) (Options, error) {
	hosts, single := splitHosts(address)
	u, err := url.Parse(single)
	if err != nil {
		return Options{}, fault.New(fault.Reject, fault.Invalid, "the store's address can't be read; it looks like %s", form)
	}
	scheme := map[string]string{"arangodb": "http", "arangodb+tls": "https"}[u.Scheme]
	o := Options{Database: strings.Trim(u.Path, "/")}
	if scheme == "" || o.Database == "" || strings.Contains(o.Database, "/") || u.Fragment != "" {
		return Options{}, fault.New(fault.Reject, fault.Invalid, "the store's address is not complete; it looks like %s", form)
	}
	for _, host := range hosts {
		h, err := url.Parse(scheme + "://" + host)
		if err != nil || h.Hostname() == "" || h.Host != host {
			return Options{}, fault.New(fault.Reject, fault.Invalid, "the store's address has a host that can't be one; it looks like %s", form)
		}
		if h.Port() == "" {
			host += ":8529"
		}
		o.Endpoints = append(o.Endpoints, scheme+"://"+host)
	}
	if u.User != nil {
		o.User = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	for name, values := range u.Query() {
		if name != "auth" || len(values) != 1 || (values[0] != "basic" && values[0] != "jwt") {
			return Options{}, fault.New(fault.Reject, fault.Invalid, "the store's address has a parameter %q that is not known; it looks like %s", name, form)
		}
		o.Basic = values[0] == "basic"
	}
	return o, nil
}

// splitHosts gives the hosts of an address, and the address with a single one, as URLs have.
func splitHosts(address string) (hosts []string, single string) {
	before, rest, _ := strings.Cut(address, "://")
	authority, after := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, after = rest[:i], rest[i:]
	}
	user := ""
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, authority = authority[:i+1], authority[i+1:]
	}
	return strings.Split(authority, ","), before + "://" + user + "host" + after
}
