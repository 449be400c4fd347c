// Command vivarium-draw reads a graph in Graphviz' language from standard input and writes it as SVG to standard output.
//
// It has Graphviz inside, as WebAssembly, and is a program of its own since the library compiles that when it is loaded. The server
// starts it for each picture, see package draw. What is compiled is kept in the folder of temporary files, which the server gives it.
package main
