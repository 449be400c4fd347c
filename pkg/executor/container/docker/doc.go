// Package docker runs the resource "container" on a Docker Engine.
//
// What always holds: whose a container, a network or a volume is stands in its labels, so that nothing has to be remembered
// (a container that was taken over can't get any: it has a mark beside it, see mark), and what carries other labels or none is never changed or removed; a replica is replaced by one that was healthy first,
// or, where the two can't be there at once, the old one comes back when the new one does not get healthy; work that was cut
// off anywhere is finished by the next apply; things are said to be absent once the engine listed none.
//
// Checks: a command is Docker's own HEALTHCHECK, run inside the container. HTTP and TCP are asked by the runner, at the container's
// address, since an image may have nothing in it that could ask; where the engine is on another machine, at the published
// port. Within the window of an update one success is enough.
//
// Files are copied into the container before it starts, into its own layer: what a tmpfs holds can't be there before the
// process is. They, and the environment, can be read by whoever may use the engine, as always with Docker; labels and names,
// which travel further, hold nothing but keyed hashes.
//
// Imports: the block (container), what it shares with process (internal/replicas), the executor port and what it is made of, and
// Docker's client.
package docker
