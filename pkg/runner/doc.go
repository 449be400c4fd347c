// Package runner takes tasks from the bus, carries them out with executors, and is heard while it does.
//
// What always holds: a task runs only when nobody else can have started it, its offer has not lapsed and its epoch is
// the newest; never two attempts of one step at once; a delivery is acknowledged before the work begins, and from then
// on heartbeats keep its lease, without which the work is cancelled; every task that was taken ends in one result,
// sent until the broker has confirmed it; a target that does not answer is left alone for a while, by all tasks alike;
// whoever hears that the runner is there may count on it to take tasks; what an executor saves has been confirmed by the
// broker before the result is sent; a secret that a task brought along is in no log line and no error.
//
// Imports: event, fault, secret, bus, executor, bundle, resilience, service and the standard library.
package runner
