package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// missedPrinter says where lines are missing.
func (c *cli) missedPrinter(named bool, format string) func(wire.Missed) error {
	s := c.style(c.out)
	return func(m wire.Missed) error {
		if format == formatJSON {
			return writeJSONLine(c.out, map[string]any{"missed": m})
		}
		text := fmt.Sprintf("… %d lines missed", m.Lines)
		if m.Lines == 1 {
			text = "… 1 line missed"
		}
		if named {
			text += " of " + clean(m.Step)
		}
		_, err := fmt.Fprintln(c.out, s.dim(text))
		return err
	}
}

// numbering finds what is missing between the lines of pages, which come without the server's count.
type numbering struct {
	next   map[[2]string]int
	missed func(wire.Missed) error
}

// before calls missed when lines are missing before r. What a running resource prints (attempt 0) is not numbered without gaps.
func (n *numbering) before(r store.LogRecord) error {
	if r.Attempt == 0 {
		return nil
	}
	if n.next == nil {
		n.next = map[[2]string]int{}
	}
	key := [2]string{r.Operation + "/" + r.Step, fmt.Sprint(r.Attempt)}
	next := n.next[key]
	n.next[key] = max(next, r.Number+1)
	if r.Number <= next {
		return nil
	}
	return n.missed(wire.Missed{Lines: r.Number - next, Operation: r.Operation, Step: r.Step, Attempt: r.Attempt, First: next})
}

// stepAddress completes what a person says of a step, which may be as the tree calls it: without the template. It also tells
// in which operation the step was last, where it is known.
func stepAddress(ctx context.Context, api *client.API, name, step string) (address, operation string, err error) {
	resources, err := api.Resources(ctx, name)
	if err != nil {
		return "", "", err
	}
	found := ""
	for i := range resources {
		address := resources[i].Address
		switch {
		case address == step:
			return step, resources[i].Step.Operation, nil
		case strings.HasSuffix(address, "."+step) && found != "":
			return "", "", usage("several steps are called %q: %s, %s; say which", step, found, address)
		case strings.HasSuffix(address, "."+step):
			found, operation = address, resources[i].Step.Operation
		}
	}
	if found == "" {
		return step, "", nil // the server says what is wrong with it
	}
	return found, operation, nil
}
