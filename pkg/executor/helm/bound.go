package helm

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// bound is a transport whose requests end with a context: Helm's library knows none, and would go on behind our back.
type bound struct {
	//nolint:containedctx // that is what it is for
	ctx  context.Context
	next http.RoundTripper
	// lost: the last request got no answer.
	lost *atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(b.ctx, cancel)
	answer, err := b.next.RoundTrip(r.WithContext(ctx))
	b.lost.Store(err != nil)
	if err != nil {
		stop()
		cancel()
		return nil, err
	}
	answer.Body = &body{ReadCloser: answer.Body, end: func() { stop(); cancel() }}
	return answer, nil
}

// body lets go of the context when it has been read.
type body struct {
	io.ReadCloser
	end func()
}

// Close implements io.Closer.
func (b *body) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// getter is how Helm asks for a client; each gets a config of its own, which it changes.
type getter struct {
	config    *rest.Config
	namespace string
	discovery discovery.CachedDiscoveryInterface
	mapper    meta.ResettableRESTMapper
}

func newGetter(config *rest.Config, namespace string) (*getter, error) {
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	cached := memory.NewMemCacheClient(d)
	return &getter{config: config, namespace: namespace, discovery: cached, mapper: restmapper.NewDeferredDiscoveryRESTMapper(cached)}, nil
}

func (g *getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

func (g *getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.discovery, nil
}

func (g *getter) ToRESTMapper() (meta.RESTMapper, error) { return g.mapper, nil }

func (g *getter) ToRawKubeConfigLoader() clientcmd.ClientConfig { return rawLoader{g} }

// rawLoader is a getter as the code of kubectl wants it.
type rawLoader struct{ g *getter }

func (rawLoader) RawConfig() (clientcmdapi.Config, error) { return clientcmdapi.Config{}, nil }

func (l rawLoader) ClientConfig() (*rest.Config, error) { return l.g.ToRESTConfig() }

func (l rawLoader) Namespace() (string, bool, error) { return l.g.namespace, true, nil }

func (rawLoader) ConfigAccess() clientcmd.ConfigAccess { return nil }
