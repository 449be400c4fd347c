package driver

import "github.com/vivarium-env/vivarium/pkg/bus"

// Exchanges are all topic exchanges. That of the commands has the name of a queue, too.
var Exchanges = []string{bus.Commands, bus.Events, bus.Control, bus.Cluster}
