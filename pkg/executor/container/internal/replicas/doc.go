// Package replicas is what the targets of the resource "container" have in common that see to each replica themselves, docker and
// process: which of those that are there are kept, how a new one gets healthy, what a plan and a look say, and what people read.
//
// What always holds: nothing is replaced that is as the block says and well; one replica is seen to after the other; what people see
// has no secret of the request in it.
//
// Imports: the block (container), the executor port, event, fault, resilience and secret. Of I/O it does the check of HTTP and TCP alone.
package replicas
