package terraform

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-config-inspect/tfconfig"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// state is what is of interest in a state file of version 4.
type state struct {
	Serial  uint64 `json:"serial"`
	Lineage string `json:"lineage"`
	Outputs map[string]struct {
		Value     json.RawMessage `json:"value"`
		Sensitive bool            `json:"sensitive"`
	} `json:"outputs"`
	Resources []struct {
		Module    string            `json:"module"`
		Mode      string            `json:"mode"`
		Type      string            `json:"type"`
		Name      string            `json:"name"`
		Instances []json.RawMessage `json:"instances"`
	} `json:"resources"`
}

func parseState(raw json.RawMessage) (state, error) {
	var s state
	if len(raw) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed, "Terraform's state is not of a version that is understood (4)")
	}
	return s, nil
}

// managed are the addresses of the resources that exist; data sources leave nothing behind.
func (s state) managed() []string {
	var found []string
	for _, r := range s.Resources {
		if r.Mode == "managed" && len(r.Instances) > 0 {
			found = append(found, strings.TrimPrefix(r.Module+"."+r.Type+"."+r.Name, "."))
		}
	}
	return found
}

// instances counts the resources that exist, each of several by count or for_each.
func (s state) instances() int {
	n := 0
	for _, r := range s.Resources {
		if r.Mode == "managed" {
			n += len(r.Instances)
		}
	}
	return n
}

// outputs are those that the module declares. Terraform keeps no output whose value is null.
func (s state) outputs(r executor.Request, declared map[string]*tfconfig.Output) executor.Outputs {
	found := make(executor.Outputs, len(declared))
	for name, d := range declared {
		o, ok := s.Outputs[name]
		if !ok {
			found[name] = executor.Value{Value: json.RawMessage("null"), Sensitive: d.Sensitive}
			continue
		}
		found[name] = executor.Value{Value: o.Value, Sensitive: d.Sensitive || o.Sensitive || r.Holds(o.Value)}
	}
	return found
}

// some names a few of many.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
