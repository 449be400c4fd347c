package container

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// replace has a block say what lifecycle { create_before_destroy } does: it is update.order by another name.
func replace(body cty.Value, createFirst bool) (cty.Value, string) {
	order := StopFirst
	if createFirst {
		order = StartFirst
		if fixed(body.GetAttr("port")) {
			return body, "A port of the host can be had by one container at a time, so the old one has to be gone before the new one is made: leave out port.host, or create_before_destroy."
		}
	}
	update := map[string]cty.Value{"health_timeout": cty.NullVal(cty.String)}
	if given, _ := body.GetAttr("update").Unmark(); given.IsKnown() && !given.IsNull() {
		update = given.AsValueMap()
		if said, _ := update["order"].Unmark(); said.IsKnown() && !said.IsNull() && said.AsString() != order {
			return body, fmt.Sprintf("update.order is %q, which says the opposite: leave out one of the two.", said.AsString())
		}
	}
	update["order"] = cty.StringVal(order)
	members := body.AsValueMap()
	members["update"] = cty.ObjectVal(update)
	return cty.ObjectVal(members), ""
}

// fixed tells whether some port of the host is named.
func fixed(ports cty.Value) bool {
	ports, _ = ports.Unmark()
	if !ports.IsKnown() || ports.IsNull() {
		return false
	}
	for it := ports.ElementIterator(); it.Next(); {
		_, port := it.Element()
		if !port.IsKnown() || port.IsNull() {
			continue
		}
		if host := port.GetAttr("host"); host.IsKnown() && !host.IsNull() {
			return true
		}
	}
	return false
}
