// Package client is how a Go program, the command line among them, talks to Vivarium: reads through the API, commands
// over the bus.
//
// What always holds: errors are *fault.Error, those of the API with the code that the server gave; a stream that breaks
// is taken up again where it was, so that its function sees every entry once and in order; nothing runs on behind a call
// that has returned, other than the listener of Commands, until Close.
//
// Imports: api/wire, bus, environment, event, fault, resilience and store (types only).
package client
