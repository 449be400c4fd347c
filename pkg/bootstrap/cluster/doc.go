// Package cluster is what a bootstrap does with a Kubernetes beside having containers run there: it finds the cluster in a kubeconfig, finds
// out what the operator may do before anything is changed, makes the namespace and the account of the service's runner, and carries
// connections from the operator's machine to Services, by the addresses that these have within.
//
// What always holds: Check and Look change nothing; what Claim makes carries the id of the cluster's key, and nothing with another
// id, or with none, is ever changed or removed; no secret is written. A Cluster is safe for concurrent use, and is to be closed.
//
// Imports: fault, resilience, and Kubernetes' own client, without its typed clients.
package cluster
