// Package telemetry sets up how a process tells what it does: structured logs with slog.
//
// What always holds: logs go to the writer that cmd gives, never to a global; a level or format that is unknown is an
// error and not a silent default.
//
// Imports: the standard library only.
package telemetry
