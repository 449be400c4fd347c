package event

import "time"

// ClusterAuthority is the name of what servers say to all runners, each second, on the topic "roll-call" of the control
// exchange: that they may act, and for how long.
const ClusterAuthority = "cluster.authority"

// Authority is a server's word that its side may act. A runner that has been told of a bound works no longer than that: whether
// its server can't be heard or may not act itself, another side may take over then, and count on nothing being done any more.
type Authority struct {
	Server string `json:"server"`
	Epoch  uint64 `json:"epoch"`
	// Unbounded: no other side is there that could take over.
	Unbounded bool `json:"unbounded,omitempty"`
	// Left is how long the side may act, in nanoseconds, counted from what Heard says; 0: it may not, and work has to stop.
	Left time.Duration `json:"left"`
	// Heard is, for each runner, the time of what was heard of it last (Alive.Time), so that neither the way of this message
	// nor another clock makes the bound longer.
	Heard map[string]time.Time `json:"heard,omitempty"`
}
