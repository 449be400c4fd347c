package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

// usedBy says which environments use what one puts out, a line each; "" for none, and where nobody answers: the server refuses
// the command itself.
func (x *connection) usedBy(ctx context.Context, name string) string {
	api, err := x.api()
	if err != nil {
		return ""
	}
	edges, err := api.Consumers(ctx, name)
	if err != nil || len(edges) == 0 {
		return ""
	}
	var uses []environment.Consumer
	for _, e := range edges {
		uses = append(uses, environment.Consumer{Environment: e.From.Environment, Address: e.From.Address, Output: e.Output})
	}
	var b strings.Builder
	writeUses(&b, uses)
	return "Others use what it puts out:\n" + b.String()
}

// writeAgainst says who keeps what was planned from being carried out.
func writeAgainst(b *strings.Builder, s style, uses []environment.Consumer) {
	if len(uses) == 0 {
		return
	}
	b.WriteString(s.red("It would be refused unless --despite-consumers is given, since others use what it takes away:") + "\n")
	writeUses(b, uses)
}

func writeUses(b *strings.Builder, uses []environment.Consumer) {
	const most = 20
	last := environment.Consumer{}
	shown := 0
	for _, u := range uses {
		if u == last {
			continue // it comes from several resources
		}
		if shown++; shown > most {
			fmt.Fprintln(b, "  ...")
			return
		}
		last = u
		fmt.Fprintf(b, "  %s: %s uses %s\n", clean(u.Environment), clean(u.Address), clean(u.Output))
	}
}
