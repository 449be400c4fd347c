// Package amqp is the driver of the bus for RabbitMQ 3.10 and later.
//
// What always holds: publishing and consuming have a connection each, so that a broker that throttles publishers still
// takes acknowledgements; every message is published with a confirm, those to queues mandatory; every declared queue is
// a quorum queue; a lost connection is made again with backoff, and what was declared, consumed and listened to is set
// up again on it; no credentials appear in a Status, a log or an error.
//
// Imports: bus, fault, resilience, the AMQP client, go-resiliency and the standard library.
package amqp
