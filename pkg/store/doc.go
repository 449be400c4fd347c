// Package store is the port to what the server keeps: the journal, the projection for readers, the templates that
// environments were made from, what executors have to know the next time, and the executors' log lines.
//
// What always holds, for every driver (storetest checks it, over restarts): a batch is there whole or not at all,
// with its projection; (partition, seq) is taken once; an epoch never falls; what Append returned nil for survives
// SIGKILL; entries come back byte by byte as they were given, or their chain would not hold. Readers never see a projection that is ahead of or behind its journal.
//
// Imports: environment, event, fault and the standard library. Drivers (sqlite, arango) import this package, never
// each other.
package store
