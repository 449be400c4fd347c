package supervisor

// Identity is a process that nobody else can be taken for: numbers are given again, and all of them after the machine's restart.
type Identity struct {
	PID int `json:"pid"`
	// Start is when it was started, in ticks since the machine's boot.
	Start uint64 `json:"start"`
	// Boot is the id of that boot.
	Boot string `json:"boot,omitempty"`
}
