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
	// Inputs as the Kind's Spec describes them; secrets in the clear, so they may be neither logged nor kept.
	Inputs json.RawMessage
	// Secrets are the strings among the inputs that nobody may see (what secret.Box.Open returned): an output that
	// holds one is marked sensitive, and no message or log line of the executor's own holds one.
	Secrets []string
	// Outputs of the last successful Apply, nil before it.
	Outputs json.RawMessage
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

// Presence is what Observe found.
type Presence string

const (
	Present Presence = "present"
	Absent  Presence = "absent"
	// Unknown: the executor can't tell, as for an action, which leaves nothing of its own.
	Unknown Presence = "unknown"
)

// Executor carries out one kind of resource. Methods are called concurrently, but never twice at once for one
// environment and step. Errors are *fault.Error; anything else counts as fault.Internal and is retried.
type Executor interface {
	// Kind is the schema; it never changes.
	Kind() template.Kind
	// Apply makes the resource be as the inputs say and returns its outputs.
	Apply(ctx context.Context, r Request) (Outputs, error)
	// Destroy removes the resource; that it is not there is success.
	Destroy(ctx context.Context, r Request) error
	// Observe looks without changing anything.
	Observe(ctx context.Context, r Request) (Presence, error)
}

// Targeter is what an Executor may be besides: it names the server behind a task (this Vault, that Consul), in the same
// way for all its tasks, so that one that does not answer is left alone for a while. "" is none. Target asks nobody and
// holds nothing secret; inputs that it can't read have no target. An error with the disposition Wait or the code
// fault.Unavailable says that the target did not answer.
type Targeter interface {
	Target(r Request) string
}
