package orchestrator

import (
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// lacks tells the decider whether the templates behind a resolver have a kind that this server does not know any more. What else
// is wrong with them fails the step that needs them.
func lacks(r environment.Resolver) func() *environment.Reason {
	with, ok := r.(resolver)
	if !ok {
		return nil
	}
	return func() *environment.Reason {
		_, err := with.find()
		if !fault.Is(err, fault.ExecutorUnknown) {
			return nil
		}
		return &environment.Reason{Code: environment.BecauseNoExecutor, Detail: fault.From(err).Message}
	}
}
