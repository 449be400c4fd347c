package cluster_test

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	serviceOf = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"api","namespace":"viv"},"spec":{"selector":{"app":"api"}}}`
	serviceAt = "/api/v1/namespaces/viv/services/api"
)

// TestNoWay: who can't be connected is told why, and not by a connection that ends at once.
func TestNoWay(t *testing.T) {
	c := connected(t, &server{objects: map[string]string{serviceAt: serviceOf}})
	for address, code := range map[string]fault.Code{
		"api.viv.svc:80":    fault.Unavailable, // no pod of it is ready
		"other.viv.svc:80":  fault.NotFound,
		"api.others.svc:80": fault.Invalid,
	} {
		_, err := c.Dial(t.Context(), "tcp", address)
		require.True(t, fault.Is(err, code), "%s: %v", address, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Dial(ended, "tcp", "api.viv.svc:80")
	require.Error(t, err)
	c.Close()
	_, err = c.Dial(t.Context(), "tcp", "api.viv.svc:80")
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
}

// TestOtherWays: what is no Service is reached as usual.
func TestOtherWays(t *testing.T) {
	c := connected(t, &server{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	conn, err := c.Dial(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}
