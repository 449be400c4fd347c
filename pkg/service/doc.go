// Package service is the one contract of everything that runs: Start in the background, Stop in two phases.
//
// What always holds: Start returns once the service works, or with an error and nothing left running; Stop may be
// called twice and before Start; after Stop nothing of the service runs. A Group starts its members in order, rolls
// back those that started when one does not, and stops them in reverse order.
//
// Imports: the standard library only.
package service
