package initialise_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/test/servers"
)

// TestADestroyOfAConsulThatWasCutOffGoesOn: the first policy was gone when it was, and the agent's was not.
func TestADestroyOfAConsulThatWasCutOffGoesOn(t *testing.T) {
	c, ctx := startConsul(t, servers.ConsulOptions{Uninitialised: true}), t.Context()
	r := request(fmt.Sprintf(`{"address":%q,"management_token":%q,"name":"c","token":"11111111-2222-4333-8444-555555555556",`+
		`"agent_token":"11111111-2222-4333-8444-555555555557","rules":""}`, c.Address(), management))
	e := kind(t, initialise.Options{}, initialise.ConsulName)
	_, err := e.Apply(ctx, r)
	require.NoError(t, err)
	client, err := api.NewClient(&api.Config{Address: c.Address(), Token: management, HttpClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	require.NoError(t, err)
	p, _, err := client.ACL().PolicyReadByName("c", nil)
	require.NoError(t, err)
	_, err = client.ACL().PolicyDelete(p.ID, nil)
	require.NoError(t, err)

	require.NoError(t, e.Destroy(ctx, r))
	policies, _, err := client.ACL().PolicyList(nil)
	require.NoError(t, err)
	for _, p := range policies {
		require.NotEqual(t, "c-agent", p.Name)
	}
	tokens, _, err := client.ACL().TokenList(nil)
	require.NoError(t, err)
	for _, token := range tokens {
		require.NotContains(t, token.Description, "meta.sample.it")
	}
}
