package initialise_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// certified applies, and has the outputs become those of the request.
func certified(t *testing.T, r *executor.Request) map[string]string {
	t.Helper()
	outputs, err := kind(t, initialise.Options{}, initialise.DerivedCertificateName).Apply(t.Context(), *r)
	require.NoError(t, err)
	require.True(t, outputs["private_key"].Sensitive)
	require.False(t, outputs["ca"].Sensitive)
	texts := map[string]string{}
	for name, v := range outputs {
		var text string
		require.NoError(t, json.Unmarshal(v.Value, &text))
		texts[name] = text
	}
	r.Outputs, err = json.Marshal(texts)
	require.NoError(t, err)
	return texts
}

// verifies tells whether who trusts the authority trusts the certificate, for a name or an address.
func verifies(t *testing.T, ca string, of map[string]string, name string) error {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(of["certificate"]), []byte(of["private_key"]))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(ca)))
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
	return err
}

const vaultsOwn = `{"authority":"x bootstrap","common_name":"vault.x.internal","names":["localhost"],"addresses":["127.0.0.1"]}`

func TestADerivedCertificateIsIssuedOnce(t *testing.T) {
	r := request(vaultsOwn)
	one := certified(t, &r)
	for _, name := range []string{"vault.x.internal", "localhost", "127.0.0.1"} {
		require.NoError(t, verifies(t, one["ca"], one, name))
	}
	require.Error(t, verifies(t, one["ca"], one, "example.test"))
	require.Equal(t, one, certified(t, &r), "what is issued stays")

	other := request(`{"authority":"x bootstrap","common_name":"vault.x.internal","addresses":["127.0.0.1","10.0.0.4"]}`)
	other.Outputs = r.Outputs
	two := certified(t, &other)
	require.NotEqual(t, one["serial"], two["serial"])
	require.NotEqual(t, one["private_key"], two["private_key"])
	require.Equal(t, one["ca"], two["ca"], "who trusts the authority need not be told anew")
	require.NoError(t, verifies(t, two["ca"], two, "10.0.0.4"))

	lost := request(vaultsOwn)
	three := certified(t, &lost)
	require.NoError(t, verifies(t, one["ca"], three, "localhost"), "an attempt whose answer is lost had the same authority")
	elsewhere := request(vaultsOwn)
	elsewhere.Environment = "other"
	require.Error(t, verifies(t, one["ca"], certified(t, &elsewhere), "localhost"), "another environment has another authority")
}

func TestADerivedCertificateDrifts(t *testing.T) {
	e := kind(t, initialise.Options{}, initialise.DerivedCertificateName)
	observe := func(r executor.Request) event.Observation {
		o, err := e.Observe(t.Context(), r)
		require.NoError(t, err)
		return o
	}
	r := request(vaultsOwn)
	require.Equal(t, event.Absent, observe(r).Presence)
	certified(t, &r)
	require.Equal(t, event.Observation{Presence: event.PresenceUnknown}, observe(r), "nothing is anywhere that could be left behind")

	renamed := r
	renamed.Inputs = json.RawMessage(`{"authority":"another","common_name":"vault.x.internal","names":["localhost"],"addresses":["127.0.0.1"]}`)
	require.True(t, observe(renamed).Drifted)
	plan, err := e.Plan(t.Context(), renamed, event.Apply)
	require.NoError(t, err)
	require.Equal(t, event.ChangeUpdate, plan.Change)
	moved := r
	moved.Environment = "other"
	require.True(t, observe(moved).Drifted, "its authority has another key there")

	for _, bad := range []string{`{}`, `{"authority":"a","common_name":"c","addresses":["here"]}`} {
		_, err := e.Apply(t.Context(), request(bad))
		require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	}
}
