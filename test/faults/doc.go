// Package faults breaks a running Vivarium in every way that its users fear, and proves from outside that nothing was
// lost and nothing was done twice. It drives the built program: command line, AMQP and REST, with a real RabbitMQ.
//
// # How to run it
//
//	go test ./test/faults                                   # the short form, part of make test: under 3 minutes
//	VIVARIUM_FAULTS=long go test -v -timeout 90m ./test/faults   # the long form, make test-faults
//	VIVARIUM_FAULTS_SEED=17 go test -v -run 'TestFaults/kills' ./test/faults
//
// VIVARIUM_FAULTS_PROGRAM names a program to test in place of the one built from this tree: one with a defect put in on
// purpose has to make it fail. VIVARIUM_FAULTS_KEEP=1 keeps the folders of tests that passed, too.
//
// The short form runs the program built with the race detector. The seed is printed at the start: the same seed makes
// the same plan of faults, though not the same interleaving. One fault alone is chosen with -run, as above.
//
// # What is proved, and how
//
// Templates that a test writes have actions (and a few Terraform modules) whose command appends a line "start" and a
// line "end", with environment, operation, step, attempt, process and time, to a file for each environment: the
// ledger of effects. Afterwards the ledger is held against the journal that the API shows:
//
//   - lost: a step is journalled complete and no attempt of it ran to its end; an environment is deployed or destroyed
//     and a step of it is not complete;
//   - doubled: a step is journalled complete twice, is offered again afterwards, or begins again afterwards; one attempt
//     began twice; an older attempt was still at work when a newer one began, for longer than the test allows;
//   - untrue: an environment did not end as it should have, or the API and the journal say different things.
//
// The rounds called dual have two of everything: brokers, Consuls of two datacentres that are joined over WAN, servers and runners.
// Two sides, of which one is killed or cut off while the other takes over, have a ledger too: it is the person who says of
// each step in doubt whether it was done, and an effect that was had twice is doubled, whatever the journal says.
//
// # How to read it
//
// At the end there is one row for each fault:
//
//	FAULT     ROUNDS  OPERATIONS  STEPS  KILLS  LOST  DOUBLED  SECONDS
//
// Rounds are how often the fault was done, operations the creates and destroys that were under way meanwhile, steps
// what was journalled complete. Kills counts SIGKILLs. Lost and doubled have to be 0. When a test fails, the folder
// with ledger, journals and what every process printed is kept, and named.
//
// What it imports: the standard library, the AMQP client, SQLite (to hold the store's lock), test/servers and testify. None of the packages under test.
package faults
