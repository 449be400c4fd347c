// Package action is the executor of actions: it runs a command to its end, or makes one HTTP call.
//
// What always holds: the command is executed as it stands, by no shell; it runs in a process group of its own, in a
// folder of its own that begins with nothing but the block's files, and gets nothing of the runner's environment but
// PATH and HOME; when Apply returns, nothing of it runs any more; an app is kept under the hash of its content and
// run only when that is the one asked for.
//
// Imports: the port, template, fault, HCL and cty, and the helpers in executor/internal.
package action
