package terraform

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// savedPlan is an executor.Plan's Saved: the program's own plan, and what it was made of.
type savedPlan struct {
	Basis basis  `json:"basis"`
	Plan  []byte `json:"plan"`
}

// basis says what a plan was made of: with anything else, it is not the plan of what would happen.
type basis struct {
	Environment string `json:"environment"`
	Step        string `json:"step"`
	// Initialised is the module, the program and the backend; Inputs and State are hashes.
	Initialised stamp  `json:"initialised"`
	Inputs      string `json:"inputs"`
	State       string `json:"state"`
}

// basis is that of the run as things are now. Of a module's own backend it has no state: the program compares that itself.
func (run *run) basis() basis {
	return basis{
		Environment: run.request.Environment, Step: run.request.Step, Initialised: run.stamp,
		Inputs: hash(run.block.Inputs), State: hash(run.keeper.state()),
	}
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// usable is the program's plan in what an earlier Plan saved, if it is still that of what would happen.
func (run *run) usable() ([]byte, error) {
	r := run.request
	if r.Plan == nil {
		return nil, nil
	}
	var saved savedPlan
	if err := json.Unmarshal(r.Plan, &saved); err != nil || len(saved.Plan) == 0 {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the saved plan of %s can't be read; plan again", r.Step)
	}
	now := run.basis()
	switch was := saved.Basis; {
	case was.Environment != now.Environment || was.Step != now.Step:
		return nil, stale("the saved plan is that of another step than %s", r.Step)
	case was.Initialised != now.Initialised:
		return nil, stale("the module of %s, or the OpenTofu or Terraform that runs it, is not the one that it was planned with", r.Step)
	case was.Inputs != now.Inputs:
		return nil, stale("the inputs of %s are not those that it was planned with", r.Step)
	case was.State != now.State:
		return nil, stale("%s has been applied or destroyed since it was planned", r.Step)
	}
	return saved.Plan, nil
}

func stale(format string, args ...any) error {
	return fault.New(fault.GiveUp, fault.Conflict, format+": the plan no longer holds; plan again", args...)
}
