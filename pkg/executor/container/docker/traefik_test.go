package docker

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// gateway is a real Traefik that watches the shared engine.
type gateway struct {
	*testing.T
	*servers.Traefik
}

func newGateway(t *testing.T, d *servers.Docker) gateway {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute) // it may have to be built
	defer cancel()
	s, err := servers.StartTraefik(ctx, t.TempDir(), servers.TraefikOptions{Docker: d.Host()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Kill()) })
	return gateway{t, s}
}

// ask asks an entrypoint for a URL as if its host were there.
func (g gateway) ask(url string) (string, error) {
	entrypoint := func(ctx context.Context, network, address string) (net.Conn, error) {
		to := g.Address()
		if _, port, _ := net.SplitHostPort(address); port == "443" {
			to = g.SecureAddress()
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: entrypoint,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	answer, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return fmt.Sprintf("%d %s", answer.StatusCode, text), err
}

// answers waits until the URL does.
func (g gateway) answers(url, want string) {
	g.Helper()
	eventually(g.T, func() bool {
		got, err := g.ask(url)
		return err == nil && got == want
	}, "%s does not answer %q", url, want)
}

const notFound = "404 404 page not found\n"

// TestTraefikRoutesToWhatIsExposed: routes come, follow the containers, and go with them.
func TestTraefikRoutesToWhatIsExposed(t *testing.T) {
	web := newBed(t, `{"image":"sample:1","env":{"VERSION":"web"},`+healthy+`,"networks":["traefik-front"],
		"expose":[{"host":"notes.example.test","port":8080},{"host":"safe.example.test","port":8080,"tls":true}]}`)
	g := newGateway(t, web.engine)
	require.Equal(t, "http://notes.example.test", web.apply().URL)
	g.answers("http://notes.example.test/", "200 web")
	g.answers("https://safe.example.test/", "200 web")
	g.answers("http://other.example.test/", notFound)
	g.answers("http://safe.example.test/", notFound)

	api := *web
	api.request.Step = "t.container.other"
	t.Cleanup(func() { _ = api.Destroy(context.WithoutCancel(t.Context()), api.request) })
	for _, version := range []string{"first", "second"} {
		api.inputs(`{"image":"sample:1","env":{"VERSION":%q},"replicas":2,%s,
			"expose":[{"host":"notes.example.test","path":"/api","port":8080}]}`, version, healthy)
		require.Equal(t, "http://notes.example.test/api", api.apply().URL)
		g.answers("http://notes.example.test/api/x", "200 "+version)
		g.answers("http://notes.example.test/", "200 web")
	}

	require.NoError(t, api.Destroy(t.Context(), api.request))
	g.answers("http://notes.example.test/api", "200 web")
	require.NoError(t, web.Destroy(t.Context(), web.request))
	g.answers("http://notes.example.test/", notFound)
	g.answers("https://safe.example.test/", notFound)
}
