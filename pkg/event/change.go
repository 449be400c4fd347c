package event

// Change is what an executor would do to a resource, or to one thing in it.
type Change string

const (
	ChangeNone    Change = "none"
	ChangeCreate  Change = "create"
	ChangeUpdate  Change = "update"
	ChangeReplace Change = "replace" // destroyed and made again
	ChangeDestroy Change = "destroy"
	// ChangeUnknown: it can't be told before something else is known; never a guess.
	ChangeUnknown Change = "unknown"
)

// Changes are all of them.
func Changes() []Change {
	return []Change{ChangeNone, ChangeCreate, ChangeUpdate, ChangeReplace, ChangeDestroy, ChangeUnknown}
}

// Difference is one thing that is other than it should be, for people to read. What nobody may see is not in it.
type Difference struct {
	// Path names the thing in the words of its executor: a key, an attribute, the address of a Terraform resource.
	Path   string `json:"path"`
	Change Change `json:"change" jsonschema:"enum=none,enum=create,enum=update,enum=replace,enum=destroy,enum=unknown"`
	// Before is how it is and After how it would be, as text; "" where there is nothing. A value that nobody may see is
	// shown as secret.Shown.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Sensitive: the values are hidden.
	Sensitive bool `json:"sensitive,omitempty"`
	// Until names what has to be known first, where After is not known yet.
	Until []string `json:"until,omitempty"`
}

// Plan is what a verb would change. It holds no secret.
type Plan struct {
	Change      Change       `json:"change" jsonschema:"enum=none,enum=create,enum=update,enum=replace,enum=destroy,enum=unknown"`
	Differences []Difference `json:"differences,omitempty"`
	// Until names what has to be known first when Change is ChangeUnknown: addresses of nodes, or a word for what they will say.
	Until []string `json:"until,omitempty"`
	// Omitted counts the differences that were left out: there were too many to show.
	Omitted int `json:"omitted,omitempty"`
}

// Presence tells whether a resource is there.
type Presence string

const (
	Present Presence = "present"
	Absent  Presence = "absent"
	// PresenceUnknown: the executor can't tell, as for an action, which leaves nothing of its own.
	PresenceUnknown Presence = "unknown"
)

// Observation is what a look at a resource found. It holds no secret.
type Observation struct {
	Presence Presence `json:"presence" jsonschema:"enum=present,enum=absent,enum=unknown"`
	// Drifted: it is not as the last apply left it. Differences say in what; Before is how it was left and After how it is.
	Drifted     bool         `json:"drifted,omitempty"`
	Differences []Difference `json:"differences,omitempty"`
	// Omitted counts the differences that were left out: there were too many to show.
	Omitted int `json:"omitted,omitempty"`
}
