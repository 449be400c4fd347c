package wire

import (
	"fmt"
	"strings"
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
	Name   string    `json:"name"`
	Server string    `json:"server"`
	Role   Role      `json:"role" jsonschema:"enum=primary,enum=secondary"`
	Epoch  uint64    `json:"epoch"`
	Time   time.Time `json:"time"`
	// Members are the servers and runners of this side, the one that answers first. Those of the other side are with it.
	Members    []replication.Member `json:"members"`
	Partitions []ClusterPartition   `json:"partitions"`
	// Secondaries of a primary that were heard in the last day; Following is how a secondary stands.
	Secondaries []replication.Peer  `json:"secondaries,omitempty"`
	Following   *replication.Status `json:"following,omitempty"`
	// Authority is whether a primary may act; absent where nobody is asked for that.
	Authority *Authority `json:"authority,omitempty"`
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
	// Owner is the server of the primary's side that decides on it, as far as it has told.
	Owner string `json:"owner,omitempty"`
}

// Authority is whether the primary's side may act: as long as enough of its secondaries hear it.
type Authority struct {
	// Acts: commands are taken, and steps begun. Reason is why not, and Do what to type.
	Acts   bool     `json:"acts"`
	Reason string   `json:"reason,omitempty"`
	Do     []string `json:"do,omitempty"`
	// Warnings are what is wrong besides, with what to do: another server goes on acting, or this one would not find out that another has taken over.
	Warnings []string `json:"warnings,omitempty"`
	// Until is how long it acts when it hears nobody any more; absent where it does not, or has no secondaries.
	Until *time.Time `json:"until,omitempty"`
	// Needs is how many of those that are asked have to be heard.
	Needs int      `json:"needs"`
	Asked []string `json:"asked"`
}

// Words say why the side does not act, and what to do.
func (a Authority) Words() string {
	if len(a.Do) == 0 {
		return a.Reason
	}
	return fmt.Sprintf("%s; start what is down, or give up what is gone for good and has not taken over: %s", a.Reason, strings.Join(a.Do, ", or: "))
}
