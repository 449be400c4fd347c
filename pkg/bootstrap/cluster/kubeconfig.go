package cluster

import (
	"net/url"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Place is a cluster as a kubeconfig knows it.
type Place struct {
	// Files are the kubeconfigs, the first wins, as kubectl takes them.
	Files []string
	// Context is the one by which the cluster is talked to.
	Context string
	// Address is that of its API server.
	Address string
}

// IsAddress tells whether a location is the address of an API server, and no context's name.
func IsAddress(location string) bool { return strings.Contains(location, "://") }

// Find finds a location in kubeconfigs: the name of a context, or the address of an API server that one context talks to; of several, the
// current one. The error is a usage mistake that lists what there is.
func Find(files []string, location string) (Place, error) {
	config, err := loading(files, "").RawConfig()
	if err != nil {
		return Place{}, fault.Wrap(err, fault.Reject, fault.Unreadable, "the kubeconfig can't be read (%s)", strings.Join(files, ", "))
	}
	p := Place{Files: files, Context: location}
	if IsAddress(location) {
		if p.Context, err = byAddress(config, location); err != nil {
			return p, err
		}
	}
	found := config.Contexts[p.Context]
	if found == nil {
		return p, fault.New(fault.Reject, fault.NotFound, "the location %q is neither process nor local, nor a context of the kubeconfig (%s), %s",
			location, strings.Join(files, ", "), listed("whose contexts are", contexts(config)))
	}
	if c := config.Clusters[found.Cluster]; c != nil {
		p.Address = c.Server
	}
	return p, nil
}

func byAddress(config clientcmdapi.Config, address string) (string, error) {
	var match, servers []string
	for _, name := range contexts(config) {
		c := config.Clusters[config.Contexts[name].Cluster]
		if c == nil {
			continue
		}
		if servers = append(servers, c.Server); same(c.Server, address) {
			match = append(match, name)
		}
	}
	switch {
	case len(match) == 1:
		return match[0], nil
	case slices.Contains(match, config.CurrentContext):
		return config.CurrentContext, nil
	case len(match) > 1:
		return "", fault.New(fault.Reject, fault.Conflict, "several contexts of the kubeconfig are of the cluster at %s: name one with --location (%s)", address, strings.Join(match, ", "))
	}
	slices.Sort(servers)
	return "", fault.New(fault.Reject, fault.NotFound, "no context of the kubeconfig is of a cluster at %s, and without one nobody knows who we are there; %s",
		address, listed("it has those at", slices.Compact(servers)))
}

func contexts(config clientcmdapi.Config) (names []string) {
	for name := range config.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func listed(intro string, names []string) string {
	if len(names) == 0 {
		return "which has none: see to KUBECONFIG"
	}
	return intro + " " + strings.Join(names, ", ")
}

// same compares addresses as a browser would: the port of the scheme need not be said, nor a last slash.
func same(a, b string) bool {
	first, err := url.Parse(a)
	second, err2 := url.Parse(b)
	return err == nil && err2 == nil && strings.EqualFold(first.Scheme, second.Scheme) && strings.EqualFold(first.Hostname(), second.Hostname()) &&
		port(first) == port(second) && strings.Trim(first.Path, "/") == strings.Trim(second.Path, "/")
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case strings.EqualFold(u.Scheme, "http"):
		return "80"
	}
	return "443"
}

func loading(files []string, context string) clientcmd.ClientConfig {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: files}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: context})
}

// config is how the place is talked to.
func (p Place) config() (*rest.Config, error) {
	c, err := loading(p.Files, p.Context).ClientConfig()
	if err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "the context %q of the kubeconfig can't be used: it lacks a cluster or a user, or a file that it names can't be read", p.Context)
	}
	return c, nil
}
