package api

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/service"
)

var _ service.Service = (*Server)(nil)

func TestHealth(t *testing.T) {
	var isStarted, isReady atomic.Bool
	var busError, extraError atomic.Pointer[fault.Error]
	of := func(p *atomic.Pointer[fault.Error]) func(context.Context) error {
		return func(context.Context) error {
			if err := p.Load(); err != nil {
				return err
			}
			return nil
		}
	}
	f := start(t, func(o *Options) {
		o.Started, o.Ready = isStarted.Load, isReady.Load
		o.Checks = []Check{{Name: "bus", Required: true, Probe: of(&busError)}, {Name: "extra", Probe: of(&extraError)}}
	})
	const readiness = wire.Prefix + "/self/readiness"
	require.Contains(t, f.problem(503, http.MethodGet, wire.Prefix+"/self/started").Detail, "starting")
	require.Contains(t, f.problem(503, http.MethodGet, readiness).Detail, "starting")
	isStarted.Store(true)
	require.True(t, read[wire.Started](f, "/self/started").Started)
	require.Contains(t, f.problem(503, http.MethodGet, readiness).Detail, "not ready")
	isReady.Store(true)
	require.Equal(t, up, read[wire.Health](f, "/self/readiness").Status)

	extraError.Store(fault.New(fault.Wait, fault.Unavailable, "extra is away"))
	require.Equal(t, degraded, read[wire.Health](f, "/self/readiness").Status)
	busError.Store(fault.New(fault.Wait, fault.Unavailable, "no connection"))
	p := f.problem(503, http.MethodGet, readiness)
	require.Contains(t, p.Detail, "bus: no connection")
	require.Equal(t, fault.Unavailable, p.Code)
	require.Len(t, p.Checks, 2)

	summary := read[wire.Health](f, "/self/liveliness")
	require.Equal(t, degraded, summary.Status)
	require.Empty(t, summary.Checks)
	detailed := read[wire.Health](f, "/self/liveliness?type=detailed")
	require.Equal(t, []string{down, down}, []string{detailed.Checks[0].Status, detailed.Checks[1].Status})
}

func TestChecksThatMisbehave(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	release := make(chan struct{})
	defer close(release)
	hanging := Check{Name: "hangs", Probe: func(context.Context) error { <-release; return nil }}
	cancel() // stands for the end of what a check is given
	require.Equal(t, down, probe(ctx, hanging).Status)
	panics := probe(context.Background(), Check{Name: "panics", Probe: func(context.Context) error { panic(password) }})
	require.Equal(t, down, panics.Status)
	require.NotContains(t, panics.Error, password)
	secretive := probe(context.Background(), Check{Name: "x", Probe: func(context.Context) error { return errors.New(password) }})
	require.NotContains(t, secretive.Error, password)
}

func TestInfo(t *testing.T) {
	f := start(t, nil)
	got := read[wire.Info](f, "/self/info")
	require.Greater(t, got.Uptime, time.Duration(0))
	got.Uptime = 0
	require.Equal(t, info(), got)
}

func TestStartAndStop(t *testing.T) {
	f := start(t, nil)
	other, err := New(f.server.options)
	require.NoError(t, err)
	require.NoError(t, other.Stop(context.Background()), "before Start")
	taken := f.server.options
	taken.Listen = f.server.Addr()
	second, err := New(taken)
	require.NoError(t, err)
	require.True(t, fault.Is(second.Start(context.Background()), fault.Unavailable))
	require.NoError(t, second.Stop(context.Background()))
	require.Error(t, f.server.Start(context.Background()), "started twice")
	require.NoError(t, f.server.Stop(context.Background()))
	require.NoError(t, f.server.Stop(context.Background()))
	_, err = New(Options{})
	require.True(t, fault.Is(err, fault.Invalid))
}

func TestRequestsEndInTime(t *testing.T) {
	f := start(t, func(o *Options) {
		o.Timeout = time.Millisecond
		o.Templates = slow{}
	})
	p := f.problem(http.StatusGatewayTimeout, http.MethodGet, wire.Prefix+"/templates")
	require.Equal(t, fault.Timeout, p.Code)
}

// slow answers when it is no longer asked.
type slow struct{ catalogue }

func (slow) List(ctx context.Context) ([]TemplateVersion, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
