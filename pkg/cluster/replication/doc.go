// Package replication carries the journal of a primary to secondaries in other data centres, each with a store of its own.
//
// A Source, on the primary, serves what a secondary asks for, below Prefix: who it is, one long stream of journal entries of all
// partitions with the states of steps that they name, templates, and the cluster's key. A Follower, on a secondary, finds the
// source, asks for what is behind its own positions, holds every entry against the chain of checksums, folds it as the owner of a
// partition does, and writes entries, projection, templates, states and snapshots in one transaction.
//
// Where a secondary has entries that were overtaken by a higher epoch, they are set aside in its store, and it follows from the last
// entry that both have. Where the primary is lost, a secondary that takes over has from another one, which lends, what it lacks itself.
//
// What always holds: a secondary's journal is a beginning of the primary's, or its partition has stopped and says why; nothing that
// is there is ever overwritten or lost; its projection is what the primary's was at that entry; neither side holds more in memory than a
// page for each partition, however slow the other one is; a secondary needs nothing but its own store to go on after a crash.
//
// Imports: environment, event, fault, history, memory, resilience, secret, service and the port store. No adapter, and no Consul:
// where the primary is, is said by a Finder.
package replication
