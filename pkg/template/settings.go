package template

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// Eval evaluates an expression for one instance.
type Eval func(*Expr) (cty.Value, hcl.Diagnostics)

// Settings are how one instance is to be carried out.
type Settings struct {
	Pool    string
	Timeout time.Duration
	// Expiry is how long a step may wait for a runner, 0 for ever.
	Expiry time.Duration
	Retry  *environment.RetryPolicy
	// Idempotent is what the block says of running it again when it is not known whether it ran; nil: it says nothing.
	Idempotent *bool
	Lifecycle
}

// settings are the expressions that Settings and the status endpoint come from; what is absent is nil.
type settings struct {
	pool, timeout, expiry         *Expr
	idempotent                    *Expr
	retry                         *hcl.Range
	attempts, backoff, maxBackoff *Expr
	status                        *hcl.Range
	url, host, ca                 *Expr
	service, datacenter, passing  *Expr
	code, interval, window        *Expr
	lifecycle                     *hcl.Range
	preventDestroy, retain        *Expr
	createFirst                   *Expr // evaluated with the body, which it is for
}

// static are those that have to be known before anything is applied.
func (s *settings) static() []*Expr {
	return present(s.pool, s.timeout, s.expiry, s.attempts, s.backoff, s.maxBackoff, s.code, s.interval, s.window, s.datacenter, s.passing,
		s.preventDestroy, s.retain, s.createFirst, s.idempotent)
}

// address are those that say where the status endpoint is.
func (s *settings) address() []*Expr { return present(s.url, s.host, s.ca, s.service) }

func present(all ...*Expr) []*Expr {
	return slices.DeleteFunc(all, func(e *Expr) bool { return e == nil })
}

func (c *compiler) declareSettings(b *Block, content *hcl.BodyContent) {
	s := &b.settings
	c.setting(&s.pool, content.Attributes["pool"])
	c.setting(&s.timeout, content.Attributes["timeout"])
	c.setting(&s.expiry, content.Attributes["expiry"])
	c.setting(&s.idempotent, content.Attributes["idempotent"])
	for _, nested := range content.Blocks {
		place, schema := &s.retry, attributes([]string{"attempts"}, "backoff", "max_backoff")
		switch nested.Type {
		case "status":
			place, schema = &s.status, attributes(nil, endpointAttributes...)
		case "lifecycle":
			place, schema = &s.lifecycle, attributes(nil, "prevent_destroy", "retain", "create_before_destroy")
		}
		if *place != nil {
			c.fail(nested.DefRange, "Duplicate block", fmt.Sprintf("A block has at most one %q; the first is at %s:%d.", nested.Type, (*place).Filename, (*place).Start.Line))
			continue
		}
		*place = nested.DefRange.Ptr()
		inner, diags := nested.Body.Content(schema)
		c.add(diags...)
		a := inner.Attributes
		switch nested.Type {
		case "retry":
			c.setting(&s.attempts, a["attempts"])
			c.setting(&s.backoff, a["backoff"])
			c.setting(&s.maxBackoff, a["max_backoff"])
		case "lifecycle":
			c.setting(&s.preventDestroy, a["prevent_destroy"])
			c.setting(&s.retain, a["retain"])
			c.declareOrder(b, a["create_before_destroy"])
		default:
			c.declareEndpoint(s, a, nested.DefRange)
		}
	}
	c.checkSettings(b)
}

// checkSettings has the references of all settings looked at.
func (c *compiler) checkSettings(b *Block) {
	s := &b.settings
	for _, e := range s.static() {
		c.checks = append(c.checks, check{refs: e.Refs, where: "a setting of " + b.Key(), allow: allowStatic, owner: b})
	}
	for _, e := range s.address() {
		c.checks = append(c.checks, check{refs: e.Refs, where: "the status of " + b.Key(), owner: b})
	}
}

func (c *compiler) setting(to **Expr, attr *hcl.Attribute) {
	if attr != nil {
		*to = c.expr(attr.Expr)
	}
}

// Settings evaluates the settings of one instance. What is unknown, as everything is to the compiler, is left out.
func (b *Block) Settings(eval Eval) (Settings, hcl.Diagnostics) {
	r := settingReader{eval: eval}
	s := Settings{Pool: r.text(b.settings.pool, "pool"), Timeout: r.duration(b.settings.timeout, "timeout"),
		Expiry: r.duration(b.settings.expiry, "expiry"), Lifecycle: r.lifecycle(&b.settings)}
	if s.Pool != "" && !ValidName(s.Pool) {
		r.fail(b.settings.pool, "Invalid pool", fmt.Sprintf("%q can't be the name of a pool. %s", s.Pool, nameRule))
	}
	if v := r.value(b.settings.idempotent, "idempotent", cty.Bool); v != cty.NilVal {
		again := v.True()
		s.Idempotent = &again
	}
	if b.settings.retry != nil {
		s.Retry = &environment.RetryPolicy{
			Attempts:   r.whole(b.settings.attempts, "attempts", 1, 1000),
			Backoff:    r.duration(b.settings.backoff, "backoff"),
			MaxBackoff: r.duration(b.settings.maxBackoff, "max_backoff"),
		}
		if s.Retry.MaxBackoff != 0 && s.Retry.MaxBackoff < s.Retry.Backoff {
			r.fail(b.settings.maxBackoff, "Invalid retry", "max_backoff can't be shorter than backoff.")
		}
	}
	return s, r.diags
}

// settingReader evaluates one setting after the other and collects their mistakes.
type settingReader struct {
	eval  Eval
	diags hcl.Diagnostics
}

func (r *settingReader) fail(e *Expr, summary, detail string) {
	if e != nil {
		r.diags = append(r.diags, errorAt(e.Range(), summary, detail))
	}
}

// value is cty.NilVal for what is absent, null, unknown or of another type.
func (r *settingReader) value(e *Expr, name string, want cty.Type) cty.Value {
	if e == nil {
		return cty.NilVal
	}
	v, diags := r.eval(e)
	r.diags = append(r.diags, diags...)
	if diags.HasErrors() {
		return cty.NilVal
	}
	if lang.IsSensitive(v) {
		r.fail(e, "Sensitive value", fmt.Sprintf("%q is shown to people, so it can't be sensitive.", name))
		return cty.NilVal
	}
	v, _ = v.UnmarkDeep()
	v, err := lang.Convert(v, want, nil)
	if err != nil {
		r.fail(e, "Wrong type", fmt.Sprintf("%q has to be a %s: %v.", name, want.FriendlyName(), err))
		return cty.NilVal
	}
	if !v.IsKnown() || v.IsNull() {
		return cty.NilVal
	}
	return v
}

func (r *settingReader) text(e *Expr, name string) string {
	if v := r.value(e, name, cty.String); v != cty.NilVal {
		return v.AsString()
	}
	return ""
}

func (r *settingReader) flag(e *Expr, name string) bool {
	v := r.value(e, name, cty.Bool)
	return v != cty.NilVal && v.True()
}

func (r *settingReader) duration(e *Expr, name string) time.Duration {
	text := r.text(e, name)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		r.fail(e, "Invalid duration", fmt.Sprintf("%q has to be a duration such as \"90s\", \"10m\" or \"1h30m\", not %q.", name, text))
		return 0
	}
	return d
}

func (r *settingReader) whole(e *Expr, name string, least, most int64) int {
	v := r.value(e, name, cty.Number)
	if v == cty.NilVal {
		return 0
	}
	n, exact := v.AsBigFloat().Int64()
	if exact != 0 || n < least || n > most {
		r.fail(e, "Invalid number", fmt.Sprintf("%q has to be a whole number from %d to %d.", name, least, most))
		return 0
	}
	return int(n)
}
