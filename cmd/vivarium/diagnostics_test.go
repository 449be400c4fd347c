package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestDiagnosticsLookAsTerraformPrintsThem(t *testing.T) {
	got := diagnosticsText([]fault.Diagnostic{{
		Severity: "error", Summary: "Unsupported argument", Detail: "An argument named \"x\" is not expected here.\nRemove it.",
		File: "notes/template.hcl", Line: 12, Column: 4, Snippet: "\t  x = 1",
	}, {Severity: "warning", Summary: "Careful"}}, style{})
	require.Equal(t, strings.TrimPrefix(`
╷
│ Error: Unsupported argument
│
│   on notes/template.hcl line 12:
│   12: 	  x = 1
│       	  ^
│
│ An argument named "x" is not expected here.
│ Remove it.
╵
╷
│ Warning: Careful
╵
`, "\n"), got)
}

func TestColours(t *testing.T) {
	got := diagnosticsText([]fault.Diagnostic{{Severity: "error", Summary: "Bad"}}, style{colour: true})
	require.Contains(t, got, "\x1b[31mError: \x1b[0m")
}
