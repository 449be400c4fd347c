package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Invalid is the code of the error that Load returns.
const Invalid fault.Code = "invalid-configuration"

const defaultOrigin = "default"

// Inputs is everything that settings can come from.
type Inputs struct {
	// FileName is for messages; File is the text, nil when there is no file.
	FileName string
	File     []byte
	// Variables of the environment by name; those that are no settings are ignored, since an orchestrator such as
	// Kubernetes makes VIVARIUM_… variables of its own for a service of that name.
	Variables map[string]string
	// Flags that were given, by name without dashes. A list's members are separated by commas.
	Flags map[string]string
}

type origin struct {
	text    string
	subject *hcl.Range // of a value from a file
}

// given is one value and where it came from.
type given struct {
	value
	origin
}

// Load puts the settings together. The error is a *fault.Error with one diagnostic for each mistake.
func Load(in Inputs) (Settings, error) {
	fromFile, diags, source := readFile(in.FileName, in.File)
	mistakes := diagnostics(diags, source)
	s := Settings{origins: map[string]origin{}}
	for _, t := range table {
		g := pick(t, fromFile, in)
		s.origins[t.Path] = g.origin
		if err := t.set(&s, g.value); err != nil {
			mistakes = append(mistakes, mistake(t, g, err, source))
		}
	}
	if len(mistakes) > 0 {
		slices.SortStableFunc(mistakes, byLine)
		return Settings{}, fault.New(fault.Reject, Invalid, "%s in the configuration", count(len(mistakes))).With(mistakes...)
	}
	return s, nil
}

func count(n int) string {
	if n == 1 {
		return "there is a mistake"
	}
	return fmt.Sprintf("there are %d mistakes", n)
}

// pick takes the value of the source that counts most.
func pick(t Setting, fromFile map[string]given, in Inputs) given {
	if text, ok := in.Flags[t.Flag]; ok && t.Flag != "" {
		return given{t.valueOf(text), origin{text: "--" + t.Flag}}
	}
	if text, ok := in.Variables[t.Variable]; ok && text != "" {
		return given{t.valueOf(text), origin{text: t.Variable}}
	}
	if g, ok := fromFile[t.Path]; ok {
		return g
	}
	return given{t.valueOf(t.Default), origin{text: defaultOrigin}}
}

func mistake(t Setting, g given, err error, source []byte) fault.Diagnostic {
	detail := fmt.Sprintf("%s %s", t.Path, err)
	if !t.Secret && g.text() != "" {
		detail += fmt.Sprintf("; it is %q", g.text())
	}
	if g.subject != nil {
		return diagnostic(&hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Invalid value", Detail: detail + ".", Subject: g.subject,
		}, source)
	}
	return fault.Diagnostic{Severity: "error", Summary: "Invalid value of " + g.origin.text, Detail: detail + "."}
}

func (g given) text() string {
	if g.value.text == "" && len(g.list) > 0 {
		return fmt.Sprint(g.list)
	}
	return g.value.text
}
