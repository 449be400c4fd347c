package api

import (
	"strconv"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// HeaderLag tells with every answer of a secondary how far it is behind its primary.
const HeaderLag = "Vivarium-Lag"

// clusterRoute tells of the cluster's two sides.
func clusterRoute() route {
	return route{
		id: "getCluster", path: wire.Prefix + "/cluster", tag: "self", summary: "Role, epoch, and how far primary and secondaries are",
		description: "A primary tells of its secondaries, a secondary of the primary that it follows, as this server knows it.",
		answers:     found("The cluster", wire.Cluster{}), handle: (*Server).cluster,
	}
}

func (s *Server) cluster(k *call) error {
	if s.options.Cluster == nil {
		return fault.New(fault.Reject, fault.NotFound, "this server knows nothing of a cluster")
	}
	c, err := s.options.Cluster(k.context())
	if err != nil {
		return err
	}
	return k.answer(c)
}

// lagText is the header's value, such as "entries=12; seconds=0.4", or "unknown" before the primary was heard.
func lagText(l replication.Lag) string {
	if !l.Known {
		return "unknown"
	}
	return "entries=" + strconv.FormatUint(l.Entries, 10) + "; seconds=" + strconv.FormatFloat(l.Seconds, 'f', 1, 64)
}
