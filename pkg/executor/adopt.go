package executor

import (
	"context"
)

// Adopter is what an Executor may be besides (its Kind says so in Adopts): it takes over what exists already and belongs to
// nobody, as what Request.Adopt names. A Plan with Request.Adopt tells what would change beside that mark: nothing, when what is there is
// as the inputs say. Both fail with fault.NotFound (or fault.ExecutorFailed, where the target says it in words alone) when it is not there, with fault.Exists when it is another environment's
// or step's, and with fault.Invalid when Request.Adopt is not what the executor finds things by.
type Adopter interface {
	// Adopt marks it as the step's, has it be as the inputs say, and returns its outputs, as an Apply does. Where the Plan has
	// no change, nothing but the mark is written. Twice is no harm.
	Adopt(ctx context.Context, r Request) (Outputs, error)
}
