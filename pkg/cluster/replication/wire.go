package replication

import "time"

// Prefix is below what a source serves. Every request and every answer is signed with a token that both sides know.
const Prefix = "/api/v1/replication/"

// Role of a server's cluster.
type Role string

// Roles.
const (
	Primary   Role = "primary"
	Secondary Role = "secondary"
)

// Position is a place in a partition's journal: the last entry that is there. Mark is store.Mark of that entry, empty for Seq 0.
type Position struct {
	Partition int    `json:"partition"`
	Seq       uint64 `json:"seq"`
	Mark      string `json:"mark,omitempty"`
}

// Placed is what a server tells of one of its entries; without a Mark there is none of that Seq.
type Placed struct {
	Position
	Epoch uint64 `json:"epoch,omitempty"`
}

// Identity says who a server is, and how far.
type Identity struct {
	// Cluster is the name (in Consul: the data centre) of the server's cluster; KeyID tells its key from others without
	// giving it away.
	Cluster string `json:"cluster"`
	KeyID   string `json:"key_id"`
	Server  string `json:"server"`
	Version string `json:"version,omitempty"`
	Role    Role   `json:"role"`
	Epoch   uint64 `json:"epoch"`
	// Partitions counts them; it has to be the same on both sides.
	Partitions int `json:"partitions"`
	// Lease is for how long each word of a secondary lets a primary act, in nanoseconds; 0 where it asks nobody.
	Lease time.Duration `json:"lease,omitempty"`
	Heads []Position    `json:"heads"`
	Time  time.Time     `json:"time"`
	// Leaving: the server stops, or hands its role over; nothing more is to come of it.
	Leaving bool `json:"leaving,omitempty"`
	// Begun is when the server began in its role, by its own clock.
	Begun time.Time `json:"begun,omitzero"`
	// Members are those of its side, as far as it has told.
	Members []Member `json:"members,omitempty"`
}

// Kinds of members.
const (
	ServerMember = "server"
	RunnerMember = "runner"
)

// Member is a server or a runner of a side.
type Member struct {
	Kind string `json:"kind" jsonschema:"enum=server,enum=runner"`
	// Name of a server is new with every start; that of a runner stays.
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	// Role, Epoch, API and the partitions that are Owned are of servers, and Pools of runners.
	Role  Role     `json:"role,omitempty"`
	Epoch uint64   `json:"epoch,omitempty"`
	API   string   `json:"api,omitempty"`
	Owned []int    `json:"owned,omitempty"`
	Pools []string `json:"pools,omitempty"`
}

// Request opens a stream: entries behind these positions.
type Request struct {
	Name
	Positions []Position `json:"positions"`
}

// Name names a secondary to its source.
type Name struct {
	Cluster string `json:"cluster"`
	Server  string `json:"server"`
	Version string `json:"version,omitempty"`
	// API is where its own API is reached, as far as it knows.
	API string `json:"api,omitempty"`
	// Side is the same for those that have one store.
	Side string `json:"side,omitempty"`
}

// Counted are the secondaries that a primary counts, or that join those: of these the votes for a takeover are.
type Counted struct {
	// Version grows with each change under one epoch.
	Version uint64 `json:"version"`
	Names   []Name `json:"names"`
}

// Report is what a secondary tells its source once a second.
type Report struct {
	Name
	Positions []Position `json:"positions"`
	// AsOf is the source's own time up to which the secondary has everything; zero when it never had.
	AsOf time.Time `json:"as_of"`
	// Stopped are partitions that do not go on, with the reason.
	Stopped []Stop `json:"stopped,omitempty"`
	// Knows is the version of what the secondary knows to be counted by this primary, 0 where it does not.
	Knows uint64 `json:"knows,omitempty"`
	// Members are those of the secondary's side, once a second; nil where it does not say.
	Members []Member `json:"members,omitempty"`
}

// Stop says why a partition is not followed any more.
type Stop struct {
	Partition int    `json:"partition"`
	Code      string `json:"code"`
	Reason    string `json:"reason"`
}

// Lag of a secondary behind its primary.
type Lag struct {
	// Known: the primary has been heard since the start.
	Known bool `json:"known"`
	// Entries that the primary is known to have, and the secondary has not.
	Entries uint64 `json:"entries"`
	// Seconds since the secondary had all that the primary had; 0 while it has, and hears the primary.
	Seconds float64 `json:"seconds"`
}

// Peer is a secondary as its source sees it.
type Peer struct {
	Name
	Address   string     `json:"address"`
	Connected bool       `json:"connected"`
	Since     time.Time  `json:"since"` // of the present state
	Heard     time.Time  `json:"heard"` // the last report
	Positions []Position `json:"positions"`
	Stopped   []Stop     `json:"stopped,omitempty"`
	Lag       Lag        `json:"lag"`
	Members   []Member   `json:"members,omitempty"`
	// Counted: it has to be heard, and can take over by force. Who decides on that sets it.
	Counted bool `json:"counted"`

	streams int
	asOf    time.Time
}

// Beat says how far the source was at a time.
type Beat struct {
	Time  time.Time `json:"time"`
	Epoch uint64    `json:"epoch"`
	Heads []uint64  `json:"heads"` // by partition
	// Relayed is how far each partition's entries are known to be published on the primary's bus.
	Relayed []uint64 `json:"relayed"`
	Leaving bool     `json:"leaving,omitempty"`
	// Counted are the secondaries that the primary counts; nil where it does not say, or this one lacks something that the others may rest on.
	Counted *Counted `json:"counted,omitempty"`
	// Members are those of the primary's side, once a second; nil where it does not say.
	Members []Member `json:"members,omitempty"`
}
