package replicas

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// TestACheckWithTLS is told by its answers.
func TestACheckWithTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of those who do not trust it
	server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	server.StartTLS()
	defer server.Close()
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	at := server.Listener.Addr().String()
	_, port, err := net.SplitHostPort(at)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))

	ask := func(c container.HTTPCheck, at string) string {
		c.Path, c.Port = "/", number
		return NewProber().Ping(t.Context(), container.Health{HTTP: &c, Timeout: container.Duration(time.Minute)}, at)
	}
	require.Empty(t, ask(container.HTTPCheck{TLS: true, CA: ca}, at))
	require.Empty(t, ask(container.HTTPCheck{TLS: true}, at), "without an authority it is asked whether it lives")
	require.Contains(t, ask(container.HTTPCheck{TLS: true, CA: ca}, net.JoinHostPort("localhost", port)), "does not verify", "the certificate is for another name")
	require.NotEmpty(t, ask(container.HTTPCheck{}, at), "it answers nobody without TLS")
}
