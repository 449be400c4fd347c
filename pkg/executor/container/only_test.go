package container

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOnlyOnKubernetes: other targets name what they can't do, and what to do about it.
func TestOnlyOnKubernetes(t *testing.T) {
	require.Empty(t, Block{}.OnlyOnKubernetes())
	for name, b := range map[string]Block{"service_account": {ServiceAccount: "runner"}, "service_name": {ServiceName: "notes"}} {
		require.Contains(t, b.OnlyOnKubernetes(), name)
		require.Contains(t, b.OnlyOnKubernetes(), "leave it out")
	}
}
