// Package calendar works out when something is to happen that people write down as cron does: "0 8 * * 1-5" in a timezone.
//
// What always holds: it reads no clock; the same expression, timezone and time give the same answer, by the database of
// timezones that the program was built with, or the machine's where it has one. A time that a change to summer time skips
// does not happen; one that a change to winter time repeats happens twice (github.com/robfig/cron/v3).
//
// Imports: the standard library and robfig/cron.
package calendar
