package template

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestApproval(t *testing.T) {
	tpl, err := compileText(head + `approval {
		for     = ["destroy"]
		when    = "destroys"
		by      = ["/cli/*/anna"]
		expires = "90m"
	}
	approval {}`)
	require.NoError(t, err)
	require.Equal(t, []environment.Approval{
		{Template: tpl.Name, For: []string{"destroy"}, When: "destroys", By: []string{"/cli/*/anna"}, Expires: 90 * time.Minute},
		{Template: tpl.Name, For: []string{"update", "destroy"}, When: "always", Expires: 24 * time.Hour},
	}, tpl.Approvals())

	for text, says := range map[string]string{
		`approval { for = ["create"] }`:    "it takes",
		`approval { when = "sometimes" }`:  "sometimes",
		`approval { when = "never" }`:      "leave the block out",
		`approval { expires = "1000h" }`:   "at most 30 days",
		`approval { expires = "-1s" }`:     "at most 30 days",
		`approval { by = ["[a"] }`:         "no pattern",
		`approval { by = [null] }`:         "null",
		`approval { who = ["a"] }`:         "who",
		`approval "x" {}`:                  "labels",
		`approval { by = [param.nobody] }`: "param",
	} {
		_, err := compileText(head + text)
		requireFault(t, err, fault.InvalidTemplate, says)
	}
}
