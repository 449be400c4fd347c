package consul

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Scheme begins an address that is a service in Consul: consul://[user:password@]SERVICE[/path][?scheme=S&datacentre=D].
const Scheme = "consul://"

// Resolve makes the address of a service out of consul://: scheme is what stands in for it unless the address says
// another one, of those that are known. Where many is set the address has all instances, else the first. An address with another
// scheme comes back as it is. Errors never repeat it, since it may hold a password.
func (c *Client) Resolve(ctx context.Context, address, scheme string, known []string, many bool) (string, error) {
	if !strings.HasPrefix(address, Scheme) {
		return address, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Port() != "" {
		return "", fault.New(fault.Reject, fault.Invalid, "the address of a service in Consul looks like consul://user:password@SERVICE/path?scheme=%s", scheme)
	}
	datacentre := ""
	for name, values := range u.Query() {
		switch {
		case name == "scheme" && slices.Contains(known, values[0]):
			scheme = values[0]
		case name == "datacentre":
			datacentre = values[0]
		default:
			return "", fault.New(fault.Reject, fault.Invalid, "the address of service %q in Consul has parameters other than scheme (%s) and datacentre", u.Host, strings.Join(known, ", "))
		}
	}
	hosts, err := c.Locate(ctx, u.Host, datacentre)
	if err != nil {
		return "", err
	}
	u.Scheme, u.RawQuery = scheme, ""
	if many {
		u.Host = strings.Join(hosts, ",")
	} else {
		u.Host = hosts[0]
	}
	return u.String(), nil
}
