// Package nats is the driver of the bus for NATS JetStream: of a server elsewhere (Connect), or of one inside this
// process (StartEmbedded), which is what Vivarium uses when it is given no bus.
//
// What is on the bus has the names of package bus: the subject of a topic is exchange + "." + key, that of a queue is
// its name. Commands, tasks, partitions and dead letters are work queues in JetStream: a message is gone when it is
// acknowledged. Events are kept for a day or until they fill 256 MB, so that a subscriber can also read back. What is
// said on the exchange of control, and replies, is core NATS.
//
// A NATS program that is not ours publishes the envelope of a command to vivarium.commands.<command>, for instance
// vivarium.commands.environment.create. JetStream uses the reply subject of NATS itself to say that the message is stored;
// therefore the subject for Vivarium's answer stands in the header Reply-To, and what that answer is to be matched with in
// Correlation-Id. In the nats command line: nats pub -H Reply-To:answers.me vivarium.commands.environment.create "$ENVELOPE".
//
// What always holds: the queue of a partition has at most one consumer on the server at a time, and whoever takes over gets
// everything that is unacknowledged, in order, before anything newer; no credentials appear in a Status, a log or an error.
//
// How long a confirmed message is safe: the server writes it to the operating system before it confirms it, which a
// crash of the process can't undo; it is forced to the disk every two minutes (NATS's default), so that a crash of the
// machine may take the last of them. Nothing is lost by that for good: the journal is in the store, and the steps whose messages
// are missing are tried again when their leases end.
//
// Imports: bus, fault, resilience, NATS's client and server, go-resiliency and the standard library.
package nats
