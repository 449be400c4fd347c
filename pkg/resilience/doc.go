// Package resilience is how every call that leaves the process is made: tried again with backoff and jitter, bounded
// in time, and stopped by a circuit breaker where the target does not answer.
//
// What always holds: the disposition of an error (package fault) alone decides. Reject and GiveUp end at once; Retry
// is tried again as often as the policy says; Wait is tried again without being counted; no call is made after the
// context has ended, and none runs while another of the same Do does. A breaker that is open lets nothing through, and a
// half-open one a single call; what was begun before the last change of a breaker does not change it again.
//
// Imports: fault, eapache/go-resiliency and the standard library.
package resilience
