package bootstrap

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVaultsKeysAreLost has no room for Vault's keys, so that it is not asked for any; and then a run that was killed between its initialisation and the
// writing of its keys. The same command goes on from either.
func TestVaultsKeysAreLost(t *testing.T) {
	if os.Getenv("VIVARIUM_FAULTS") != "long" {
		t.Skip("VIVARIUM_FAULTS=long (make test-bootstrap) fills disks")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := place(t, ctx)
	p.safe = p.small(t, "safe", "16k")
	text, err := killed(t, p.Bootstrap(ctx), "deploying  meta")
	require.Error(t, err, text)
	empty := fills(t, p.safe)
	text, err = killed(t, p.Bootstrap(ctx), "")
	require.Error(t, err, text)
	require.Contains(t, text, "the file of the keys can't be written: make room there")
	empty()

	p.asks(t)
	text, err = killed(t, p.Bootstrap(ctx), "")
	require.NoError(t, err, text)
	require.Contains(t, text, "meta is made anew")
	p.shows(t, ctx)
	p.goes(t, ctx)
}

// asks has Vault make keys that nobody hears of, as a run does that is killed then: that it asks stands in its file.
func (p *Place) asks(t *testing.T) {
	t.Helper()
	vault := fmt.Sprintf("https://127.0.0.1:%d", p.ports[9])
	request, err := http.NewRequest(http.MethodPut, vault+"/v1/sys/init", strings.NewReader(`{"secret_shares":1,"secret_threshold":1}`))
	require.NoError(t, err)
	check := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // what there is to trust is told once environment zero is there
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: check}}).Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)

	text, err := os.ReadFile(p.Keys())
	require.NoError(t, err)
	var keys map[string]any
	require.NoError(t, json.Unmarshal(text, &keys))
	require.NotContains(t, keys, "vault")
	keys["vault_begun"] = vault
	text, err = json.Marshal(keys)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(p.Keys(), text, 0o600))
}
