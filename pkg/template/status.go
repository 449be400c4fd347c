package template

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// Status is the type of a block that is a status endpoint of the environment as a whole, and the name of its kind.
const Status = "status"

// ConsulProbe is what a runner needs to ask Consul how a service is.
const ConsulProbe = "consul"

// endpointAttributes are what a status endpoint may have, whoever it belongs to.
var endpointAttributes = []string{"url", "host", "ca", "consul_service", "datacenter", "passing_only", "code", "interval", "timeout"}

// statusKind has nothing of its own: a status endpoint is no more than its settings.
var statusKind = &Kind{Name: Status}

// declareStatus takes a status endpoint of the environment. It becomes a node of its own, which depends on what its
// address is made of.
func (c *compiler) declareStatus(h *hclsyntax.Block) {
	name := h.Labels[0]
	b := &Block{Type: environment.StatusNode, Kind: statusKind, Name: name, Body: hcl.EmptyBody(), Range: h.DefRange(), element: cty.DynamicVal}
	if !c.claim(Status, name, h.LabelRanges[0]) {
		return
	}
	a := c.content(h, attributes(nil, append([]string{"description", "group", "pool"}, endpointAttributes...)...)).Attributes
	b.Description = c.text(a["description"])
	if b.Group = c.text(a["group"]); b.Group != "" {
		c.groupUses = append(c.groupUses, groupUse{b.Group, a["group"].Expr.Range()})
	}
	c.setting(&b.settings.pool, a["pool"])
	b.settings.status = h.DefRange().Ptr()
	c.declareEndpoint(&b.settings, a, h.DefRange())
	c.checkSettings(b)
	b.Needs = lang.NewNeeds(nil)
	b.refs = b.StatusRefs()
	c.t.blocks = append(c.t.blocks, b)
	c.t.blockOf[b.Key()] = b
}

// declareEndpoint takes what says where an endpoint is and when it is well.
func (c *compiler) declareEndpoint(s *settings, a hcl.Attributes, at hcl.Range) {
	if (a["url"] == nil) == (a["consul_service"] == nil) {
		c.fail(at, "Invalid status", "A status has either a url or a consul_service.")
	}
	of, other := "consul_service", "url"
	if a["url"] != nil {
		of, other = other, of
	}
	for _, name := range map[string][]string{"url": {"datacenter", "passing_only"}, "consul_service": {"host", "ca", "code"}}[of] {
		if a[name] != nil {
			c.fail(a[name].NameRange, "Invalid status", fmt.Sprintf("%q goes with a %s.", name, other))
		}
	}
	c.setting(&s.url, a["url"])
	c.setting(&s.host, a["host"])
	c.setting(&s.ca, a["ca"])
	c.setting(&s.service, a["consul_service"])
	c.setting(&s.datacenter, a["datacenter"])
	c.setting(&s.passing, a["passing_only"])
	c.setting(&s.code, a["code"])
	c.setting(&s.interval, a["interval"])
	c.setting(&s.window, a["timeout"])
}

// Probed tells whether the block has a status endpoint.
func (b *Block) Probed() bool { return b.settings.status != nil }

// Probe is what a runner has to be able to ask the endpoint with, "" for what every runner can.
func (b *Block) Probe() string {
	if b.settings.service != nil {
		return ConsulProbe
	}
	return ""
}

// Endpoint evaluates the status endpoint of one instance; nil for a block without one, or with an unknown address.
func (b *Block) Endpoint(eval Eval) (*event.Endpoint, hcl.Diagnostics) {
	s := &b.settings
	if s.status == nil {
		return nil, nil
	}
	r := settingReader{eval: eval}
	e := &event.Endpoint{
		URL:      r.text(s.url, "url"),
		Host:     r.text(s.host, "host"),
		CA:       r.text(s.ca, "ca"),
		Status:   r.whole(s.code, "code", 100, 599),
		Interval: r.duration(s.interval, "interval"),
		Timeout:  r.duration(s.window, "timeout"),
	}
	if s.service != nil {
		e.URL = r.service(s)
		return some(e), r.diags
	}
	if e.URL == "" {
		return nil, r.diags
	}
	at, err := url.Parse(e.URL)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" && at.Scheme != "tcp" {
		r.fail(s.url, "Invalid status address", "It has to be http://HOST/PATH, https://HOST/PATH or tcp://HOST:PORT.")
	}
	if err == nil && at.Scheme == "tcp" && at.Port() == "" {
		r.fail(s.url, "Invalid status address", "tcp:// needs a port, as in tcp://HOST:PORT.")
	}
	if e.Host != "" && !hostName.MatchString(e.Host) {
		r.fail(s.host, "Invalid status host", "It has to be a host, with a port where that is needed: notes.example.test.")
	}
	if e.Host != "" && err == nil && at.Scheme == "tcp" {
		r.fail(s.host, "Invalid status host", "tcp:// asks for no host; leave it out.")
	}
	if e.CA != "" && (err != nil || at.Scheme != "https" || !x509.NewCertPool().AppendCertsFromPEM([]byte(e.CA))) {
		r.fail(s.ca, "Invalid status authority", "It has to be a certificate in PEM, with which that of an https:// address is checked.")
	}
	return e, r.diags
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9._-]+(:[0-9]+)?$`)

func some(e *event.Endpoint) *event.Endpoint {
	if e.URL == "" {
		return nil
	}
	return e
}

// service is the address of a service in Consul, "" while it is unknown.
func (r *settingReader) service(s *settings) string {
	name := r.text(s.service, "consul_service")
	datacenter, passing := r.text(s.datacenter, "datacenter"), r.flag(s.passing, "passing_only")
	if name == "" {
		return ""
	}
	if !consulName.MatchString(name) {
		r.fail(s.service, "Invalid service", fmt.Sprintf("%q can't be the name of a service that is watched: letters, digits, dots, hyphens and underscores.", name))
	}
	query := url.Values{}
	if datacenter != "" {
		query.Set("dc", datacenter)
	}
	if passing {
		query.Set("passing", "true")
	}
	return (&url.URL{Scheme: ConsulProbe, Host: name, RawQuery: query.Encode()}).String()
}

var consulName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
