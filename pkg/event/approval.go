package event

// Names of the commands on an operation that waits for approval. Their subject is the environment, as with all commands.
const (
	OperationApprove = "operation.approve"
	OperationReject  = "operation.reject"
)

// Approval is when an update or a destroy of an environment has to be approved, and by whom.
type Approval struct {
	// For is what has to be approved: "update", "destroy"; left out, both.
	For []string `json:"for,omitempty" jsonschema:"enum=update,enum=destroy"`
	// When is "always", which is the default, "destroys": only when something would be destroyed or replaced, or "never", which
	// takes the environment's own rule away.
	When string `json:"when,omitempty" jsonschema:"enum=always,enum=destroys,enum=never"`
	// By are the CloudEvents sources that may approve; * stands for anything but a slash. Left out, everybody but who asked.
	By []string `json:"by,omitempty" jsonschema:"maxItems=64"`
	// Self lets who asked approve, too.
	Self bool `json:"self,omitempty"`
	// Expires is how long it waits, such as "24h", which is the default; at most 30 days.
	Expires string `json:"expires,omitempty"`
}

// Judgement is the data of operation.approve and operation.reject.
type Judgement struct {
	// Operation is the id of the one that waits; left out, the one that is under way.
	Operation string `json:"operation,omitempty"`
	// Steps are the addresses of those that were held; left out, all that are.
	Steps   []string `json:"steps,omitempty"`
	Comment string   `json:"comment,omitempty" jsonschema:"maxLength=4096"`
}
