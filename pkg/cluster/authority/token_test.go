package authority

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestATokenIsGoodForOneTakeover(t *testing.T) {
	key := []byte("known to both sides")
	token := NewToken(key, 3, at(60))
	require.NotEqual(t, token, NewToken(key, 3, at(60)))
	require.NoError(t, CheckToken(key, token, 3, at(59)))
	for why, err := range map[string]error{
		"expired at":    CheckToken(key, token, 3, at(60)),
		"it was used":   CheckToken(key, token, 4, at(0)),
		"is behind":     CheckToken(key, token, 2, at(0)),
		"no operation":  CheckToken([]byte("another cluster"), token, 3, at(0)),
		"cluster token": CheckToken(key, strings.ToUpper(token), 3, at(0)),
		"make one":      CheckToken(key, "", 3, time.Time{}),
	} {
		require.True(t, fault.Is(err, TokenRefused), "%s: %v", why, err)
		require.ErrorContains(t, err, why)
		require.NotContains(t, err.Error(), token)
	}
}
