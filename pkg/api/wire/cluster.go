package wire

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
)

// Replication is how a secondary stands, in short.
type Replication struct {
	State  replication.State `json:"state" jsonschema:"enum=off,enum=connecting,enum=catching-up,enum=live,enum=stopped,enum=refused,enum=left"`
	Code   string            `json:"code,omitempty"`
	Reason string            `json:"reason,omitempty"`
	Lag    replication.Lag   `json:"lag"`
}

// Cluster is what a server knows of both sides.
type Cluster struct {
	// Name is that of the cluster that is the primary.
	Name       string             `json:"name"`
	Server     string             `json:"server"`
	Role       Role               `json:"role" jsonschema:"enum=primary,enum=secondary"`
	Epoch      uint64             `json:"epoch"`
	Time       time.Time          `json:"time"`
	Partitions []ClusterPartition `json:"partitions"`
	// Secondaries of a primary that were heard in the last day; Following is how a secondary stands.
	Secondaries []replication.Peer  `json:"secondaries,omitempty"`
	Following   *replication.Status `json:"following,omitempty"`
	// SetAside counts the entries that this side had and the primary never had; /cluster/divergence tells of them.
	SetAside uint64 `json:"set_aside,omitempty"`
}

// ClusterPartition is how far a partition is here.
type ClusterPartition struct {
	Partition int    `json:"partition"`
	Seq       uint64 `json:"seq"`
	Chain     string `json:"chain,omitempty"` // checksum over the journal up to there
	Relayed   uint64 `json:"relayed"`         // published up to there
	Owned     bool   `json:"owned"`           // by this server
}
