// Package environment is the domain: what an environment, a resource, an operation and a step are, and the
// decider that says what happens next.
//
// The decider is one in the sense of the decider pattern (J. Chassaing, "Functional Event Sourcing Decider"):
// Decide(state, input, now) gives facts, Evolve(state, fact) gives the next state. What always holds:
//
//   - no I/O, no clock, no goroutine, no randomness: the same state, input and time give the same facts;
//   - replaying the facts of an environment gives the same state, whatever happened between them;
//   - nothing runs before all that it depends on is done, and no step has two attempts at once;
//   - every operation ends once its tasks have been answered or have lapsed.
//
// Project turns the state into the records that the store keeps for readers.
//
// Imports: calendar, event, fault, graph and the standard library.
package environment
