package plan

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestAGroupDependsOnAnother(t *testing.T) {
	p := resolve(t, nil, head+`
		group "app" { depends_on = [group.middle, group.network] }
		group "middle" { depends_on = [group.network] }
		group "network" {}
		resource "box" "web" {
			group = "app"
			image = resource.box.api.outputs.url
		}
		resource "box" "api" { group = "app" }
		resource "box" "worker" {
			group      = "app"
			depends_on = [resource.box.subnet]
		}
		resource "box" "subnet" {
			group = "network"
			image = resource.box.net.outputs.url
		}
		resource "box" "net" { group = "network" }
		resource "box" "dns" { group = "network" }
		resource "box" "alone" {}
	`)
	require.Equal(t, map[string][]string{
		"t.box.net":    nil,
		"t.box.dns":    nil,
		"t.box.alone":  nil,
		"t.box.subnet": {"t.box.net"},
		"t.box.api":    {"t.box.dns", "t.box.subnet"},
		"t.box.worker": {"t.box.dns", "t.box.subnet"},
		"t.box.web":    {"t.box.api"},
	}, sortedEdges(p), "no more edges than are needed; an empty group passes on what it depends on")
}

func sortedEdges(p *Plan) map[string][]string {
	all := addresses(p)
	for _, list := range all {
		slices.Sort(list)
	}
	return all
}

func TestGroupsOfSeveralTemplatesAreOne(t *testing.T) {
	one := head + `
		group "app" { depends_on = [group.network] }
		group "network" {}
		resource "box" "web" { group = "app" }
	`
	other := `template "u" { version = "1.0.0" }
		group "network" {}
		resource "box" "net" { group = "network" }
	`
	p, err := tryResolve(t, nil, one, other)
	require.NoError(t, err)
	require.Equal(t, []string{"u.box.net"}, addresses(p)["t.box.web"])
	require.Equal(t, []string{"network"}, p.Groups()[0].DependsOn)

	circle := `template "u" { version = "1.0.0" }
		group "app" {}
		group "network" { depends_on = [group.app] }
	`
	_, err = tryResolve(t, nil, one, circle)
	requireFault(t, err, fault.InvalidTemplate, "these groups depend on each other", "app -> network -> app")
}

func TestACircleThroughGroupsNamesThem(t *testing.T) {
	_, err := tryResolve(t, nil, head+`
		group "app" { depends_on = [group.network] }
		group "network" {}
		resource "box" "web" { group = "app" }
		resource "box" "net" {
			group = "network"
			image = resource.box.web.outputs.url
		}
	`)
	requireFault(t, err, fault.InvalidTemplate, "t.box.web -> t.box.net -> t.box.web", `group "app" depends on group "network"`)
}

func TestGroupsThatWouldMakeTooManyDependencies(t *testing.T) {
	_, err := tryResolve(t, nil, head+fmt.Sprintf(`
		group "app" { depends_on = [group.network] }
		group "network" {}
		resource "box" "web" {
			group = "app"
			count = %[1]d
		}
		resource "box" "net" {
			group = "network"
			count = %[1]d
		}
	`, 1001))
	requireFault(t, err, fault.InvalidTemplate, `let one resource of "network" depend on all others`)
}
