// Package event is the language spoken on the bus: the CloudEvents 1.0 envelope, the commands that publishers
// send, the answers they get, and what server and runner say to each other (tasks, results, heartbeats, logs).
//
// What always holds: unknown fields of a command are refused; a type ends in its version; an envelope that was
// decoded without error has id, source and type.
//
// Imports: fault and the standard library only.
package event
