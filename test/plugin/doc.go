// Package plugin holds an executor that is a program of its own, as an example (file), and the test that brings it through
// the contract of all executors over the plugin protocol.
package plugin
