package image

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// served is a real registry, within this process, behind what may answer first; its address.
func served(t *testing.T, first func(http.ResponseWriter, *http.Request) bool) Registry {
	t.Helper()
	real := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if first == nil || !first(w, r) {
			real.ServeHTTP(w, r)
		}
	}))
	transport := &http.Transport{}
	t.Cleanup(func() { transport.CloseIdleConnections(); server.Close() })
	return Registry{Address: strings.TrimPrefix(server.URL, "http://") + "/team", Transport: transport}
}

// TestRegistry: a registry takes the image once, and whoever pulls it gets just that.
func TestRegistry(t *testing.T) {
	var uploads atomic.Int32 // parts are sent at once
	r, i := served(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch || r.Method == http.MethodPut {
			uploads.Add(1)
		}
		return false
	}), made(t, "1.0.0")
	there, err := r.Has(t.Context(), i)
	require.NoError(t, err)
	require.False(t, there)
	require.NoError(t, r.Push(t.Context(), i))
	there, err = r.Has(t.Context(), i)
	require.NoError(t, err)
	require.True(t, there)
	before := uploads.Load()
	require.Positive(t, before)
	require.NoError(t, r.Push(t.Context(), i))
	require.Equal(t, before, uploads.Load(), "what is there is not sent again")

	at, err := r.Name(i)
	require.NoError(t, err)
	require.Equal(t, r.Address+"/"+i.Name(), at)
	ref, err := name.ParseReference(at)
	require.NoError(t, err)
	pulled, err := remote.Image(ref, remote.WithTransport(r.Transport))
	require.NoError(t, err)
	config, err := pulled.ConfigFile()
	require.NoError(t, err)
	require.Equal(t, "65532:65532", config.Config.User)
	layers, err := pulled.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)

	other, err := Of(Source{Programs: []Program{sample(t, "GOFLAGS=-ldflags=-s")}, Version: "1.0.0"})
	require.NoError(t, err)
	require.NoError(t, remote.Tag(ref.Context().Tag(other.tag), pulled, remote.WithTransport(r.Transport)))
	there, err = r.Has(t.Context(), other)
	require.NoError(t, err)
	require.False(t, there, "the name is another's")
	require.NoError(t, r.Push(t.Context(), other))
	there, err = r.Has(t.Context(), other)
	require.NoError(t, err)
	require.True(t, there)
}

// TestRegistryThatRefuses says who, what and what to do.
func TestRegistryThatRefuses(t *testing.T) {
	i := made(t, "1.0.0")
	refuse := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				return false
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	for says, of := range map[string]struct {
		first func(http.ResponseWriter, *http.Request) bool
		code  fault.Code
	}{
		"docker login":        {refuse(http.StatusUnauthorized, ""), fault.PermissionDenied},
		"as somebody who may": {refuse(http.StatusForbidden, `{"errors":[{"code":"DENIED","message":"not yours"}]}`), fault.PermissionDenied},
		"no such repository":  {refuse(http.StatusNotFound, `{"errors":[{"code":"NAME_UNKNOWN"}]}`), fault.NotFound},
		"no space left":       {refuse(http.StatusInsufficientStorage, "no space left"), fault.Unavailable},
		"see to that there":   {refuse(http.StatusInsufficientStorage, "no space left"), fault.Unavailable},
	} {
		r := served(t, of.first)
		_, err := r.Has(t.Context(), i)
		require.NoError(t, err)
		err = r.Push(t.Context(), i)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, r.Address)
		require.True(t, fault.Is(err, of.code), "%v", err)
	}
	gone := served(t, nil)
	gone.Address = "127.0.0.1:1/team"
	_, err := gone.Has(t.Context(), i)
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	for _, address := range []string{"https://registry.example.test", "", "Not/A Name"} {
		_, err := Registry{Address: address}.Name(i)
		require.True(t, fault.Is(err, fault.Invalid), "%q: %v", address, err)
	}
}

// TestRegistryAsksWho: who pushes shows what the operator has logged in with, and a registry that tells nobody else what it has may have it.
func TestRegistryAsksWho(t *testing.T) {
	i := made(t, "1.0.0")
	r := served(t, func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user == "somebody" && password == "secret-of-somebody" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="team"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	there, err := r.Has(t.Context(), i)
	require.NoError(t, err)
	require.False(t, there)
	require.True(t, fault.Is(r.Push(t.Context(), i), fault.PermissionDenied))
	r.Login = login{"somebody", "another"}
	err = r.Push(t.Context(), i)
	require.True(t, fault.Is(err, fault.PermissionDenied), "%v", err)
	require.NotContains(t, err.Error(), "another")
	r.Login = login{"somebody", "secret-of-somebody"}
	require.NoError(t, r.Push(t.Context(), i))
}

type login struct{ user, password string }

// Resolve is the same for all registries.
func (l login) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: l.user, Password: l.password}, nil
}
