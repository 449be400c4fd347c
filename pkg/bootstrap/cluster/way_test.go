package cluster_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/httpstream/spdy"

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

const podsOf = `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"api-1","namespace":"viv"},
	"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}]}`

// forwards carries connections to a pod's port 8443 as an API server does, to an address; of other ports it says that nobody listens there.
type forwards struct {
	*server
	to string
}

func (f *forwards) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/pods/api-1/portforward") && r.Method == http.MethodPost:
		f.forward(w, r)
	case r.URL.Query().Get("labelSelector") == "app=api":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, podsOf)
	default:
		f.server.ServeHTTP(w, r)
	}
}

func (f *forwards) forward(w http.ResponseWriter, r *http.Request) {
	streams := make(chan httpstream.Stream, 2)
	w.Header().Set(httpstream.HeaderProtocolVersion, "portforward.k8s.io")
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	})
	if conn == nil {
		f.t.Error("not upgraded")
		return
	}
	defer func() { _ = conn.Close() }()
	trouble, data := <-streams, <-streams
	if trouble.Headers().Get(corev1.StreamType) != corev1.StreamTypeError {
		f.t.Errorf("%v %v", trouble.Headers(), data.Headers())
	}
	if data.Headers().Get(corev1.PortHeader) != "8443" {
		_, _ = io.WriteString(trouble, "nobody listens")
		_ = trouble.Close()
		<-conn.CloseChan()
		return
	}
	_ = trouble.Close()
	back, err := net.Dial("tcp", f.to)
	if err != nil {
		f.t.Error(err)
		return
	}
	go func() { _, _ = io.Copy(back, data); _ = back.Close() }()
	_, _ = io.Copy(data, back)
	_ = data.Close()
	<-conn.CloseChan()
}

// TestAWay: who is reached through the API server is known by the Service's name, and checked for it.
func TestAWay(t *testing.T) {
	api := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	api.Config.ErrorLog = log.New(io.Discard, "", 0)
	api.StartTLS()
	defer api.Close()
	f := &forwards{server: &server{objects: map[string]string{serviceAt: serviceOf}}, to: api.Listener.Addr().String()}
	c := connectedTo(t, f.server, f)
	ask := func(name string) (string, error) {
		check := api.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		check.ServerName = name
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: c.Dial, TLSClientConfig: check}}
		answer, err := client.Get("https://api.viv.svc:8443/")
		if err != nil {
			return "", err
		}
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		return string(text), err
	}
	for range 3 {
		text, err := ask("example.com") // which that certificate is for
		require.NoError(t, err)
		require.Equal(t, "hello", text)
	}
	_, err := ask("")
	var wrong *tls.CertificateVerificationError
	require.ErrorAs(t, err, &wrong)
	require.ErrorContains(t, err, "api.viv.svc", "no address of this machine stands in for it")

	open, err := c.Dial(t.Context(), "tcp", "api.viv.svc:8443")
	require.NoError(t, err)
	nobody, err := c.Dial(t.Context(), "tcp", "api.viv.svc:8444")
	require.NoError(t, err)
	_, err = nobody.Read(make([]byte, 1))
	require.Error(t, err, "nobody listens there")
	c.Close()
	_, err = open.Read(make([]byte, 1))
	require.Error(t, err, "it ends with the cluster")
}
