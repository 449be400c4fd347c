package plan

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestStatusNodes(t *testing.T) {
	p := resolve(t, nil, head+`
		resource "box" "a" {
			image = "x"
			status { consul_service = "box-${environment.name}" }
		}
		status "web" {
			url  = "http://${resource.box.a.outputs.url}/"
			pool = "edge"
		}
		status "strict" {
			consul_service = "notes"
			datacenter     = "eu"
			passing_only   = true
		}`)
	nodes := map[string]environment.Node{}
	for _, n := range p.Nodes() {
		nodes[n.Address] = n
	}
	require.Equal(t, environment.Node{Address: "t.status.web", Type: environment.StatusNode, Template: "t", Executor: "status", Name: "web",
		Pool: "edge", Probed: true, DependsOn: []string{"t.box.a"}}, nodes["t.status.web"])
	require.Equal(t, "consul", nodes["t.status.strict"].Probe)
	require.Equal(t, "consul", nodes["t.box.a"].Probe)
	outputs := recorded(map[string]string{"t.box.a": `{"url":"x.test"}`})
	for address, url := range map[string]string{"t.box.a": "consul://box-env-1", "t.status.web": "http://x.test/", "t.status.strict": "consul://notes?dc=eu&passing=true"} {
		e, err := p.Endpoint(address, outputs)
		require.NoError(t, err)
		require.Equal(t, &event.Endpoint{URL: url}, e)
	}
	_, err := p.Endpoint("t.status.web", nil)
	requireFault(t, err, fault.InputsUnresolved, "t.box.a")
	require.Len(t, p.Preview(), 1, "nothing changes of what is only looked at")
}
