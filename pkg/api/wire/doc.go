// Package wire holds the types of the API's answers that are not records of the domain, so that a client needs
// nothing of the server to read them.
//
// What always holds: the JSON tags are the API; a field is only ever added. Durations are integer nanoseconds, times
// are RFC 3339. Environments, resources, operations and journal entries travel as the records of packages
// environment and store.
//
// Imports: bus, environment, fault, store (types only) and the standard library.
package wire
