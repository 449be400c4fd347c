// Package orchestrator is the server's work: it takes commands, lets the decider decide, keeps the journal, offers
// tasks to runners and publishes what happened.
//
// An environment belongs to one of P partitions; each partition has a queue on the bus with a single active consumer,
// so that one server at a time owns it. The owner takes what is waiting in the queue, decides on all of it, commits
// facts and projection in one transaction, and only then acknowledges, answers, offers tasks and publishes.
//
// What always holds: nothing leaves that is not journalled; an owner that lost its partition and does not know it is
// fenced by the journal (partition, seq), forgets what it had in memory and loads again; a delivery is acknowledged
// only when what follows from it is durable.
//
// Imports: the ports (bus, store), plan, template, the domain. No adapter.
package orchestrator
