package template

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestStatusOfTheEnvironment(t *testing.T) {
	tpl, err := compileText(head + `
		resource "box" "a" {
			image = "x"
			status {
				consul_service = "notes"
				datacenter     = "eu"
				passing_only   = true
				timeout        = "2m"
			}
		}
		status "web" {
			url         = "http://${resource.box.a.outputs.url}/healthz"
			description = "The whole of it"
			interval    = "2s"
		}`)
	require.NoError(t, err)
	web := tpl.Block(Status, Status, "web")
	require.Equal(t, environment.StatusNode, web.Type)
	require.Equal(t, "status.web", web.Key())
	require.True(t, web.Probed())
	require.Empty(t, web.Probe())
	require.Equal(t, []string{"resource.box.a"}, tpl.Summary().Statuses[0].DependsOn)
	require.Equal(t, ConsulProbe, tpl.Block("resource", "box", "a").Probe())

	for body, says := range map[string]string{
		`status "a" {}`: "either a url or a consul_service",
		`status "a" {
			url            = "http://a.test"
			consul_service = "a"
		}`: "either a url or a consul_service",
		`status "a" {
			consul_service = "a"
			code           = 200
		}`: "goes with a url",
		`status "a" {
			url        = "http://a.test"
			datacenter = "eu"
		}`: "goes with a consul_service",
		`status "a" { url = "ftp://a.test" }`:                                                "http://HOST/PATH",
		`status "a" { consul_service = "a b" }`:                                              "letters, digits",
		`status "a" { url = status.b.outputs.x }`:                                            "status",
		"status \"a\" { url = \"http://a.test\" }\nstatus \"a\" { url = \"http://b.test\" }": "Duplicate status",
		`status "a" {
			url   = "http://a.test"
			group = "none"
		}`: "Unknown group",
	} {
		_, err := compileText(head + body)
		requireFault(t, err, fault.InvalidTemplate, says)
	}
}
