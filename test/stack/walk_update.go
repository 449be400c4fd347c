package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// again updates the environment without a change, and then with one that only Consul is to get.
func (w *Walk) again(ctx context.Context) error {
	before, err := w.stack.containerIDs(ctx)
	if err != nil {
		return err
	}
	applied, err := w.update(ctx, map[string]any{})
	if err != nil {
		return err
	}
	if len(applied) > 0 {
		return fmt.Errorf("nothing was to be different, and still %s ran", strings.Join(applied, ", "))
	}
	w.line("nothing would get anything else than it has, so no step ran")
	const title, settings = "Their notes", template + ".consul_kv.settings"
	if applied, err = w.update(ctx, map[string]any{"parameters": map[string]any{"title": title}}); err != nil {
		return err
	}
	if !slices.Equal(applied, []string{settings}) {
		return fmt.Errorf("the title is in Consul alone, and still %s ran", strings.Join(applied, ", "))
	}
	page, err := w.through(ctx, "/", http.StatusOK)
	if err != nil {
		return err
	}
	if !strings.Contains(string(page), "<h1>"+title+"</h1>") {
		return fmt.Errorf("the page has not the title %q: %s", title, page)
	}
	after, err := w.stack.containerIDs(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(before, after) {
		return fmt.Errorf("the containers were to stay: there were %v and are %v", before, after)
	}
	w.line("with another title, only %s was applied: the page says %q, from the same containers", settings, title)
	return nil
}

// update returns the steps that were applied.
func (w *Walk) update(ctx context.Context, data any) ([]string, error) {
	operation, err := w.order(ctx, "environment.update", data)
	if err != nil {
		return nil, err
	}
	var journal struct {
		Items []struct {
			Operation, Type string
			Data            json.RawMessage
		}
	}
	if err := get(ctx, request{URL: w.vivarium.API + "/environments/" + name + "/journal?limit=1000"}, &journal); err != nil {
		return nil, err
	}
	var applied []string
	for _, e := range journal.Items {
		var step struct{ Step, Verb string }
		if e.Operation == operation && e.Type == "step.waiting" && json.Unmarshal(e.Data, &step) == nil && step.Verb == "apply" {
			applied = append(applied, step.Step)
		}
	}
	return applied, nil
}
