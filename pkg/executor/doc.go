// Package executor is the port to what changes the world: one executor for each kind of resource.
//
// What always holds, for every executor (executortest checks it): applying twice changes nothing the second time;
// destroying twice succeeds; a cancelled context ends the work within the grace period; a secret is in no log line
// and in no output that is not marked sensitive.
//
// Imports: template (for the schema), event, fault, secret and the standard library. Executors import this package, never
// each other.
package executor
