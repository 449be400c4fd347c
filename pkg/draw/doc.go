// Package draw makes a finished picture of a graph that is written in Graphviz' language.
//
// Graphviz lays it out, in a process of its own: the program vivarium-draw, which has it inside as WebAssembly, or Graphviz'
// own dot, which speaks the same way (the graph on standard input, SVG on standard output). So a server that draws nothing pays
// nothing for it, a drawing that takes too long is killed, and one that breaks breaks nothing else.
//
// What always holds: the process gets none of the server's environment variables, and no more of them run at once than was said.
//
// Imports: fault and the standard library.
package draw
