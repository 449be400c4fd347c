package vault_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func pkiInputs(path, rest string) string {
	return fmt.Sprintf(`{"role":"web","common_name":"a.example.test","store":%q%s}`, path, rest)
}

// leaf checks that the outputs fit together and returns the certificate.
func leaf(t *testing.T, outputs map[string]any) *x509.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(outputs["certificate"].(string)), []byte(outputs["private_key"].(string)))
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(outputs["ca_chain"].([]any)[0].(string))))
	_, err = certificate.Verify(x509.VerifyOptions{Roots: roots})
	require.NoError(t, err)
	require.Equal(t, certificate.NotAfter.UTC().Format(time.RFC3339), outputs["expires_at"])
	return certificate
}

func TestPKI(t *testing.T) {
	v, path := realVault(t), unique(t)
	now := time.Now()
	c := connect(t, vault.Options{Address: v.Vault.Address(), Token: v.RootToken(), Now: func() time.Time { return now }})
	s := newStep(kind(t, c, vault.PKIName), pkiInputs(path, `,"alt_names":["b.example.test"],"ip_addresses":["127.0.0.1"],"ttl":"6h","renew_before":"1h"`))
	first := s.apply(t)
	certificate := leaf(t, first)
	require.ElementsMatch(t, []string{"a.example.test", "b.example.test"}, certificate.DNSNames)
	require.Len(t, certificate.IPAddresses, 1)
	require.Equal(t, first["private_key"], v.values(t, path)["private_key"])

	now = now.Add(4 * time.Hour)
	require.Equal(t, first, s.apply(t), "kept")
	now = now.Add(61 * time.Minute)
	require.NotEqual(t, first["serial"], s.apply(t)["serial"], "renewed an hour before its end")

	// Asking for something else gives another certificate, when to renew is no such thing.
	now = time.Now()
	s.Inputs = json.RawMessage(pkiInputs(path, `,"alt_names":["c.example.test"],"ttl":"6h"`))
	second := s.apply(t)
	require.ElementsMatch(t, []string{"a.example.test", "c.example.test"}, leaf(t, second).DNSNames)
	s.Inputs = json.RawMessage(pkiInputs(path, `,"alt_names":["c.example.test"],"ttl":"6h","renew_before":"2h"`))
	third := s.apply(t)
	require.Equal(t, second["serial"], third["serial"])
	require.NotEqual(t, second["renew_at"], third["renew_at"])

	// Revoked behind its back, it is replaced; so it is when its key is lost.
	v.put(t, "pki/revoke", map[string]any{"serial_number": third["serial"]})
	fourth := s.apply(t)
	require.NotEqual(t, third["serial"], fourth["serial"])
	v.put(t, "secret/data/"+path, map[string]any{"data": map[string]any{"certificate": fourth["certificate"]}})
	fifth := s.apply(t)
	require.NotEqual(t, fourth["serial"], leaf(t, fifth).SerialNumber.String())

	s.Inputs = json.RawMessage(pkiInputs(path+"/moved", `,"alt_names":["c.example.test"],"ttl":"6h","renew_before":"2h"`))
	sixth := s.apply(t)
	require.Equal(t, fifth["private_key"], sixth["private_key"])
	require.Nil(t, v.get(t, "secret/metadata/"+path))

	// Inputs that were never applied name another engine: the certificate is revoked where it came from.
	s.Inputs = json.RawMessage(strings.Replace(string(s.Inputs), "{", `{"mount":"elsewhere",`, 1))
	s.destroy(t)
	require.NotEqual(t, json.Number("0"), v.get(t, "pki/cert/"+sixth["serial"].(string)).Data["revocation_time"], "revoked")
	require.Nil(t, v.get(t, "secret/metadata/"+path+"/moved"))
}

// TestAShortLifeIsRenewed goes by the real clock.
func TestAShortLifeIsRenewed(t *testing.T) {
	v, path := realVault(t), unique(t)
	s := v.rooted(t, vault.PKIName, pkiInputs(path, `,"ttl":"4s","renew_before":"2s"`))
	first := s.apply(t)
	require.Eventually(t, func() bool { return s.apply(t)["serial"] != first["serial"] }, time.Minute, 50*time.Millisecond)
	ends, err := time.Parse(time.RFC3339, first["expires_at"].(string))
	require.NoError(t, err)
	renew, err := time.Parse(time.RFC3339, first["renew_at"].(string))
	require.NoError(t, err)
	require.Equal(t, 2*time.Second, ends.Sub(renew))
}

func TestPKIFaults(t *testing.T) {
	v, path := realVault(t), unique(t)
	s := v.rooted(t, vault.PKIName, fmt.Sprintf(`{"role":"none","common_name":"a","store":%q}`, path))
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Invalid, fault.GiveUp, "pki/issue/none", "unknown role")
	s.Inputs = json.RawMessage(pkiInputs(path, `,"renew_before":"20000h"`))
	_, err = s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Invalid, fault.GiveUp, "renew_before", "shorter")
	s.Inputs = json.RawMessage(fmt.Sprintf(`{"mount":"none","role":"web","common_name":"a","store":%q}`, path))
	_, err = s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.NotFound, fault.GiveUp, "none/issue/web")
	s.destroy(t)

	v.put(t, "secret/data/"+path, map[string]any{"data": map[string]any{"k": "theirs"}})
	_, err = s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Exists, fault.GiveUp, path)
}
