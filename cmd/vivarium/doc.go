// Command vivarium is the server, the runner and the command line of Vivarium in one program.
//
// What always holds: this is the only place that reads flags, environment variables and the current folder, and the
// only one that knows which drivers and executors there are. One file a command. What changes something publishes a
// command to the bus, as any other publisher would; what reads asks the API. Answers go to standard output, everything
// else to standard error. The exit code is 0 for success, 1 for failure, 2 for a wrong command line or configuration.
package main
