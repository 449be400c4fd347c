// Package process runs the resource "container" as supervised processes of this machine, for where there is neither Docker nor
// Kubernetes: the image names a program, and each replica has a supervisor (see its sub-package) and a folder of its own, with its
// files, its log and a record that says whose it is.
//
// What always holds: the block means what it means on other targets, so paths of files and volumes are moved below the replica's
// folder wherever they stand, and what a process can't be given (a network, a route, a limit) is refused; whose a replica is stands
// in its record, as in labels elsewhere, and what has another or none is never touched; a replica is replaced by one that was
// healthy first, or, where both want the same port, the old one comes back when the new one does not get healthy; runner and server
// may die, and what runs goes on; no secret of the variables or the arguments is in any file, of the record only keyed hashes;
// things are said to be absent once no process and no folder was found.
//
// Checks are made by the runner: HTTP and TCP on the loopback address, a command with the replica's variables in its folder.
//
// After a restart of the machine nothing runs, since nobody knows the secrets: the next look sees that, and healing, or an apply,
// starts it again.
//
// Imports: the block (container), what it shares with docker (internal/replicas), the executor port and what it is made of, and its
// supervisor. It needs Linux.
package process
