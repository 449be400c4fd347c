// Package driver is what the drivers of the bus do alike: publishing until everything is confirmed, keeping what runs until Close,
// and the end of a consumer.
//
// What always holds: nothing in it knows a broker.
//
// Imports: the bus's port, fault and resilience.
package driver
