// Package lang is the expression language of templates: what an expression refers to, the functions it may call,
// the scope it is evaluated in, and the way of its values to and from JSON.
//
// What always holds: an expression sees only what it refers to, so its evaluation costs what it names and not what
// the template holds; functions are pure, and read no file outside of the template's folder; a sensitive value stays
// marked through everything that is made of it.
//
// Imports: HCL, cty and the standard library.
package lang
