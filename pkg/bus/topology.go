package bus

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// Names of exchanges and queues, as publishers and subscribers see them. In NATS the subject of a topic is
// exchange + "." + key, and that of a queue is its name.
const (
	Commands    = "vivarium.commands" // topic exchange of commands, and the queue bound to it with "#"
	Events      = "vivarium.events"   // topic exchange of events: environment.<name>.<what happened>
	Control     = "vivarium.control"  // topic exchange: pool.<pool>, runner.<hash>, roll-call (to runners), runners, servers (to servers)
	Cluster     = "vivarium.cluster"  // topic exchange: primary, secondary (what servers signal of themselves), report
	Runners     = "vivarium.runners"  // queue: hellos of runners
	Logs        = "vivarium.logs"     // queue: log lines on their way to the store
	DeadLetters = "vivarium.dead"     // queue: what nobody could read, with the reason
	tasks       = "vivarium.tasks."
	partitions  = "vivarium.partitions."
)

// Tasks is the queue of a pool's tasks.
func Tasks(pool string) string { return tasks + pool }

// Partition is the queue of everything that the owner of a partition has to decide on: commands forwarded to it,
// results, acceptances, heartbeats, ticks. It has a single active consumer.
func Partition(n int) string { return partitions + strconv.Itoa(n) }

// RunnerTopic is the key on Control of what is said to one runner alone. It is named as its Name, or by what it is called
// since its last start, which begins with the name and a slash; a hash, since names may hold what keys may not.
func RunnerTopic(runner string) string {
	name, _, _ := strings.Cut(runner, "/")
	sum := sha256.Sum256([]byte(name))
	return "runner." + hex.EncodeToString(sum[:8])
}

// Topology is what Declare makes: the exchanges and queues above, with one queue a partition and one a pool.
// All queues are durable and replicated where the broker can; those of the partitions have a single active consumer.
type Topology struct {
	// Partitions counts the partition queues; 0 declares none (a runner has no need of them).
	Partitions int
	Pools      []string
	// MaxDeliveries of a task, hello or command before it becomes a dead letter; 0 takes 20. Partition queues have no bound.
	MaxDeliveries int
}
