package template

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// lifetime is a constant duration, 0 for none.
func (c *compiler) lifetime(attr *hcl.Attribute) time.Duration {
	text := c.text(attr)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		c.fail(attr.Expr.Range(), "Invalid lifetime", fmt.Sprintf("It has to be a duration such as \"72h\", not %q.", text))
		return 0
	}
	return d
}

// once tells whether it is the first block of its kind.
func (c *compiler) once(b *hclsyntax.Block) bool {
	first, taken := c.places[b.Type]
	if taken {
		c.fail(b.DefRange(), "Duplicate block", fmt.Sprintf("A template has at most one %q; the first is at %s.", b.Type, place(first)))
		return false
	}
	c.places[b.Type] = b.DefRange()
	return true
}

func (c *compiler) declareSchedule(b *hclsyntax.Block) {
	if !c.once(b) {
		return
	}
	a := c.content(b, attributes(nil, "up", "down", "check", "timezone")).Attributes
	h := &event.Hours{Up: c.text(a["up"]), Down: c.text(a["down"]), Check: c.text(a["check"]), Timezone: c.text(a["timezone"])}
	if err := environment.CheckHours(h); err != nil {
		c.fail(b.DefRange(), "Invalid schedule", err.Message)
	}
	if !h.None() {
		c.t.Standing.Hours = h
	}
}

func (c *compiler) declareDrift(b *hclsyntax.Block) {
	if !c.once(b) {
		return
	}
	a := c.content(b, attributes(nil, "interval", "policy")).Attributes
	p := &event.DriftPolicy{Interval: c.text(a["interval"]), Policy: c.text(a["policy"])}
	if err := environment.CheckDrift(p); err != nil {
		c.fail(b.DefRange(), "Invalid drift", err.Message)
	}
	c.t.Standing.Drift = p
}
