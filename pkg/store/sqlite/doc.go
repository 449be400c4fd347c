// Package sqlite is the store's driver on SQLite inside the process: one file, no server.
//
// What always holds: one goroutine owns the only connection that writes, and commits what is waiting in groups, so
// that callers share the cost of making it durable (WAL, synchronous=FULL); each call of a group succeeds or fails
// alone. Conflicts are found by keys in the file inside the writing transaction, never by memory alone, so several
// processes may share a file. JSON is made by the caller's goroutine; the writer only binds and steps. Derived
// tables (tags, templates, search, edges) are written only when what they derive from has changed.
//
// Imports: store, environment, event, fault, modernc.org/sqlite and the standard library.
package sqlite
