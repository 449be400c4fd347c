package executor

import (
	"context"
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Request is what an executor gets to work on.
type Request struct {
	event.TaskRef
	// Occasion is what an action runs on: create, update, destroy or demand; "" for all else.
	Occasion string
	// Inputs as the Kind's Spec describes them; secrets in the clear, so they may be neither logged nor kept.
	Inputs json.RawMessage
	// Secrets are the strings among the inputs that nobody may see (what secret.Box.Open returned): an output that
	// holds one is marked sensitive, and no message or log line of the executor's own holds one.
	Secrets []string
	// Outputs of the last successful Apply, nil before it.
	Outputs json.RawMessage
	// Unknown are the parts of the inputs that are not known yet, by their paths ("keys.host"); they are null in Inputs. Each
	// names what it waits for. Only a Plan has any.
	Unknown map[string][]string
	// Plan is what an earlier Plan saved: Apply does that and nothing else, or fails with fault.Conflict when the world has
	// moved since. nil when no plan was asked for.
	Plan []byte
	// Adopt is what a Plan of an apply, and an Adopter's Adopt, take over: something that is there already, found by this. nil:
	// the resource is this environment's own.
	Adopt json.RawMessage
	// State is what SaveState took last, whichever runner that was on; nil before.
	State []byte
	// SaveState keeps what the executor has to know the next time, such as Terraform's state, with the server; no data removes
	// it. It is durable when it returns nil, packed and sealed on its way, and there before the result of the work. It goes on
	// when ctx ends, since a state is worth more than the work that it is of. Errors: fault.Busy when another attempt has the
	// step or may have it by now, fault.Invalid when the state is too large (event.MaxState packed). Safe for concurrent use:
	// one after the other. nil in a Plan and an Observe.
	SaveState func(ctx context.Context, data []byte) error
	// Bundle is a folder with the files that Kind.Inspect asked for; it is shared and must not be written to.
	Bundle string
	// WorkDir is a folder of this environment and step alone. It stays between attempts while the runner has it, and may
	// be lost with the runner: only caches may rest on it.
	WorkDir string
	// Log takes a line of output; stream is "out" or "err". It cleans, masks and bounds it. Safe for concurrent use.
	Log func(stream, line string)
	// Progress takes how far the work is, as often as one likes: it costs little, and only the latest counts. It cleans,
	// masks and bounds the message. Safe for concurrent use; nil when nobody wants to know.
	Progress func(event.Progress)
}

// Outputs are the outcome of an Apply, by name.
type Outputs map[string]Value

// Value is one output; a sensitive one is sealed before it leaves the runner.
type Value struct {
	Value     json.RawMessage
	Sensitive bool
}

// Plan is what an executor would do.
type Plan struct {
	event.Plan
	// Saved is what an Apply needs to do exactly this (Request.Plan), nil when the executor decides by the inputs alone. It may
	// hold secrets, so it is sealed before it leaves the runner.
	Saved []byte
}

// Executor carries out one kind of resource. Methods are called concurrently, but never twice at once for one
// environment and step. Errors are *fault.Error; anything else counts as fault.Internal and is retried.
type Executor interface {
	// Kind is the schema; it never changes.
	Kind() template.Kind
	// Plan tells what the verb (event.Apply or event.Destruct) would change, without changing anything. With inputs that are
	// not known yet (Request.Unknown) it is event.ChangeUnknown, unless it is certain all the same.
	Plan(ctx context.Context, r Request, verb event.Verb) (Plan, error)
	// Apply makes the resource be as the inputs say and returns its outputs.
	Apply(ctx context.Context, r Request) (Outputs, error)
	// Destroy removes the resource; that it is not there is success.
	Destroy(ctx context.Context, r Request) error
	// Observe looks whether the resource is there, and is as the last Apply left it, without changing anything.
	Observe(ctx context.Context, r Request) (event.Observation, error)
}

// Targeter is what an Executor may be besides: it names the server behind a task (this Vault, that Consul), in the same
// way for all its tasks, so that one that does not answer is left alone for a while. "" is none. Target asks nobody and
// holds nothing secret; inputs that it can't read have no target. An error with the disposition Wait or the code
// fault.Unavailable says that the target did not answer.
type Targeter interface {
	Target(r Request) string
}

// Traceless is what an Executor may be besides: its resources leave nothing in the world that could be looked at, so their
// destruction needs no proof. Of all others, a look that can't tell proves nothing.
type Traceless interface{ Traceless() }
