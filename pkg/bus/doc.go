// Package bus is the port to the message bus, and the names of what is on it.
//
// What always holds, for every driver (bustest checks it): delivery is at least once and in order per queue;
// a message is gone only when it was acknowledged or is in the dead letters; Publish returns when the broker
// has confirmed; a connection that breaks comes back by itself; nobody who publishes or consumes has to notice
// more than a redelivery.
//
// Imports: event, fault and the standard library. Drivers (amqp, nats) import this package, never each other.
package bus
