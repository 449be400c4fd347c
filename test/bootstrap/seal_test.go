package bootstrap

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// TestBootstrapWithAVaultThatUnsealsItself has Vault's seal at another Vault: whoever ends it need not have it unsealed, by a bootstrap or by hand.
func TestBootstrapWithAVaultThatUnsealsItself(t *testing.T) {
	if os.Getenv("VIVARIUM_FAULTS") != "long" {
		t.Skip("VIVARIUM_FAULTS=long (make test-bootstrap) raises one more")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := place(t, ctx)
	other, err := servers.StartVault(ctx, filepath.Join(p.Dir, "other"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Kill()) })
	require.NoError(t, other.Enable(ctx, "mounts", "transit", "transit"))
	_, err = vault(t, other.Address(), other.RootToken(), "").Logical().WriteWithContext(ctx, "transit/keys/unseal", nil)
	require.NoError(t, err)

	seal := fmt.Sprintf("vault_seal=seal \"transit\" {\n address = %q\n token = %q\n key_name = \"unseal\"\n mount_path = \"transit/\"\n}\n", other.Address(), other.RootToken())
	text, err := killed(t, p.Bootstrap(ctx, "--param", seal), "")
	require.NoError(t, err, text)
	require.Contains(t, text, "no change")
	require.NotContains(t, text, other.RootToken())
	p.shows(t, ctx)

	ours := vault(t, fmt.Sprintf("https://127.0.0.1:%d", p.ports[9]), "", p.vaultRoots())
	running, err := p.left()
	require.NoError(t, err)
	p.ends(t, running, "vault.hcl")
	require.Eventually(t, func() bool {
		h, err := ours.Sys().HealthWithContext(ctx)
		return err == nil && h.Initialized && !h.Sealed
	}, patience, 100*time.Millisecond, "it was started again, and is unsealed")
	p.shows(t, ctx)
	p.goes(t, ctx)
}

func vault(t *testing.T, address, token, roots string) *api.Client {
	t.Helper()
	check, err := checking(roots)
	require.NoError(t, err)
	c, err := api.NewClient(&api.Config{Address: address, HttpClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: check}}})
	require.NoError(t, err)
	c.SetToken(token)
	return c
}

// ends kills the programs whose command lines have a text, and leaves their supervisors.
func (p *Place) ends(t *testing.T, running map[int]string, text string) {
	t.Helper()
	n := 0
	for pid, line := range running {
		if strings.Contains(line, text) {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			n++
		}
	}
	require.Positive(t, n, "%v", running)
}
