// Package arango is the store's driver on ArangoDB, for several servers and for clusters.
//
// What always holds: a batch is one stream transaction; the unique index on (partition, seq) and the partition's document
// fence it; an epoch that is raised is written to every partition's document, so that what is appended under a lower one at
// the same time is in conflict and finds out. Records are kept as JSON text beside the attributes that are asked for, so
// that what is read is what was written, to the last digit; what is compared is hashed or in hexadecimal, so that no
// collation of the server's has a say. Every query is a file below aql, and all that users say is bound.
//
// The database is made OneShard, which keeps transactions whole in a cluster.
//
// Imports: store, environment, event, fault, resilience, arangodb/go-driver and the standard library.
package arango
