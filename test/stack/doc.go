// Package stack deploys the sample with real parts (templates/notes-live) on real servers of its own, looks at it from
// outside, destroys it and proves that nothing is left. The demonstration shows this to people, and the end to end test
// is the same without them.
//
// What always holds: all servers are on this machine, on ports of their own, with their data in one folder; whatever happens,
// they are stopped and what they have made on the machine is removed; everything is looked at as others would (AMQP, HTTP,
// the engine's API, the command line), and never by reaching into the program.
//
// Imports: test/servers and the AMQP client; nothing of the program, which is run as it was built.
package stack
