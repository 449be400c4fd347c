// Package consul is where the instances of a cluster find each other: servers and runners register with the Consul agent
// of their machine, and are looked up in its datacentre or, over WAN, in another one. It also holds the keys that all
// sides agree on by check-and-set.
//
// What always holds: nothing waits for Consul that could go on without it. A registration that was lost is made again; while
// Consul is away, what is registered stays as it is, and Status says so. Every call has a deadline and goes through a
// breaker. The token is in no message.
//
// It may import fault and resilience.
package consul
