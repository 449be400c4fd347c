package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// TestWhatIsMadeAnew: only what an earlier run has left, into which nothing was ever put, or what nobody has the keys of.
func TestWhatIsMadeAnew(t *testing.T) {
	step := func(executor, address string, code fault.Code, on ...string) environment.ResourceRecord {
		r := environment.ResourceRecord{Node: environment.Node{Executor: executor, Address: address, DependsOn: on}}
		if code != "" {
			r.Step.Error = fault.New(fault.GiveUp, code, "it failed")
		}
		return r
	}
	done := func(r environment.ResourceRecord) environment.ResourceRecord {
		r.Outputs = json.RawMessage(`{}`)
		return r
	}
	broker, sick := step(container.Name, "b", ""), step(container.Name, "b", container.Unhealthy)
	initial := step(initialise.RabbitName, "i", "", "b")
	for name, c := range map[string]struct {
		resources     []environment.ResourceRecord
		lost, resumed bool
		says          string
	}{
		"a first start that was cut off":     {[]environment.ResourceRecord{sick, initial}, false, true, "b has stored"},
		"the first run of all":               {[]environment.ResourceRecord{sick, initial}, false, false, ""},
		"something was put into it":          {[]environment.ResourceRecord{sick, done(initial)}, false, true, ""},
		"it was well once":                   {[]environment.ResourceRecord{done(sick), initial}, false, true, ""},
		"nothing is put into it":             {[]environment.ResourceRecord{sick, step(initialise.RabbitName, "i", "", "c")}, false, true, ""},
		"it has failed for another reason":   {[]environment.ResourceRecord{step(container.Name, "b", fault.NotFound), initial}, false, true, ""},
		"a broker without an administrator":  {[]environment.ResourceRecord{done(broker), step(initialise.RabbitName, "i", fault.Exists, "b")}, false, true, "administrator"},
		"that of somebody else":              {[]environment.ResourceRecord{done(broker), step(initialise.RabbitName, "i", fault.Exists, "b")}, false, false, ""},
		"keys that are lost":                 {[]environment.ResourceRecord{step(initialise.VaultName, "v", fault.SecretUnavailable)}, true, false, "keys"},
		"a Vault that was asked and is torn": {[]environment.ResourceRecord{step(initialise.VaultName, "v", fault.ExecutorFailed)}, true, true, "keys"},
		"keys that are known":                {[]environment.ResourceRecord{step(initialise.VaultName, "v", fault.SecretUnavailable)}, false, true, ""},
	} {
		why := spoiled(c.resources, c.lost, c.resumed)
		if c.says == "" {
			require.Empty(t, why, name)
		} else {
			require.Contains(t, why, c.says, name)
		}
	}
}
