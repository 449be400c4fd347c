// Package objects compares objects of Kubernetes field by field, for people to read, for the executors that make some.
//
// What always holds: nothing is asked of a cluster, no value is hidden or shown by itself (who asks says which nobody may see),
// and the same two objects give the same differences in the same order.
//
// Imports: event and secret.
package objects
