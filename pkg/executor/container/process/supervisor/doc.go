// Package supervisor keeps one program running, in a process of its own that needs nobody else to live: who has started it may
// be killed, and others find it again by its folder. It is the second half of the process target: the executor starts, asks and
// ends supervisors; Main is what such a process runs.
//
// What always holds: a folder has one supervisor at the most, which holds its lock, so whether it lives is the kernel's word and
// no number that may be somebody else's by now; a process is signalled only when its number, its start and the machine's boot are
// those that were noted; what it was told to run comes by a pipe and is in memory alone, since there are secrets in it; the program
// leads a session of its own, and carries a mark in its environment that its children inherit; when it has ended, nothing of it
// runs on.
//
// Imports: the standard library and golang.org/x/sys. It needs Linux; elsewhere all that starts something fails with
// errors.ErrUnsupported.
package supervisor
