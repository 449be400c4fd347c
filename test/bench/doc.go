// Command bench measures what Vivarium adds to the work itself, and prints it beside the floors of the same run: what
// the store and the bus below it can do at best on this machine, now. It asserts nothing: machines differ, ratios less.
//
// Run it by "make bench". -only selects sections by name.
package main
