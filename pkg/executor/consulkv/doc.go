// Package consulkv is the executor of "consul_kv": a tree of keys below a prefix in Consul's key-value store.
//
// What always holds: every key that is written carries the step's mark in its flags, in the same transaction as its
// value, so what belongs to a step can be told from Consul alone, with nothing remembered; a key that belongs to
// somebody else is neither written nor removed, whatever the template says; every write and every removal is
// check-and-set against what was read, so a change in between is never overwritten unseen; keys are said to be absent
// only once the token was shown to be allowed to see them.
//
// Transactions hold at most 64 operations, so a larger tree is written in several: readers may see a part of it, and
// work that was cut off is finished by the next attempt.
//
// Imports: the port (executor) and what it is made of (event, fault, template), resilience, and hashicorp/consul/api.
package consulkv
