// Package executortest is the contract of executor.Executor as a test suite; every executor passes it.
//
// What always holds: the suite knows executors only by their port; it waits on conditions, never on time; what it
// kills is a process that it started itself (the test binary, run again as a child).
//
// Imports: the port, fault, event, secret, testify. Only tests import it.
package executortest
