package event

import "time"

// Names of what servers say on the exchange of the cluster, for whoever wants to know which side acts, and how far the others are.
const (
	// ClusterSignal is said by every server every two seconds, and at once when its role changes, with its role as the routing key.
	ClusterSignal = "cluster.signal"
	// ClusterReport is what a secondary has said of itself to one server of the primary, for the other ones; its key is "report".
	ClusterReport = "cluster.report"
)

// Signal says who a server is, and how far.
type Signal struct {
	// Cluster is its name, Side tells the sides of it apart: servers of one side have one store.
	Cluster string `json:"cluster"`
	Side    string `json:"side"`
	Server  string `json:"server"`
	Role    string `json:"role" jsonschema:"enum=primary,enum=secondary"`
	Epoch   uint64 `json:"epoch"`
	// Version and API (where it is reached, as far as it knows) are of the server, and Owned the partitions that it owns.
	Version string `json:"version,omitempty"`
	API     string `json:"api,omitempty"`
	Owned   []int  `json:"owned,omitempty"`
	// Positions is how many entries each partition's journal has, by partition.
	Positions []uint64 `json:"positions"`
	// Secondaries are those that this server, of a primary, has heard.
	Secondaries []SecondarySignal `json:"secondaries,omitempty"`
	// Leaving: nothing more is to come of this server. StepsDown: its whole side hands over, to who is reached at the address.
	Leaving   bool   `json:"leaving,omitempty"`
	StepsDown bool   `json:"steps_down,omitempty"`
	Address   string `json:"address,omitempty"`
	// MayNotAct is why the side takes no commands and begins no steps now, and what to do.
	MayNotAct string `json:"may_not_act,omitempty"`
	// OfferFrom is when a side that has taken over lets steps run, where that is not at once.
	OfferFrom *time.Time `json:"offer_from,omitempty"`
	Time      time.Time  `json:"time"`
}

// SecondarySignal is a secondary as its primary sees it.
type SecondarySignal struct {
	Cluster   string `json:"cluster"`
	Server    string `json:"server"`
	Connected bool   `json:"connected"`
	// Known: it has been heard since this server began; Entries and Seconds are how far it is behind.
	Known   bool    `json:"known"`
	Entries uint64  `json:"entries"`
	Seconds float64 `json:"seconds"`
}
