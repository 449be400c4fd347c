package event

import "encoding/json"

// EnvironmentSettle is the command that says what became of a step that nobody can look at.
const EnvironmentSettle = "environment.settle"

// Verdict is what became of a step that was in flight when its side was lost.
type Verdict string

const (
	// Done: it was done to the end.
	Done Verdict = "done"
	// Again: it was not, or may be done again.
	Again Verdict = "again"
)

// Settle is the data of environment.settle: a person has looked at a step that is uncertain.
type Settle struct {
	// Step is its address.
	Step    string  `json:"step" jsonschema:"minLength=1"`
	Verdict Verdict `json:"verdict" jsonschema:"enum=done,enum=again"`
	// Outputs of a step that is done, where others use them and they are not what they were; an object.
	Outputs json.RawMessage `json:"outputs,omitempty"`
}
