package signal

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/nats"
	"github.com/vivarium-env/vivarium/pkg/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServersHearEachOther(t *testing.T) {
	ctx := t.Context()
	embedded, err := nats.StartEmbedded(ctx, nats.EmbeddedOptions{Dir: filepath.Join(t.TempDir(), "bus")})
	require.NoError(t, err)
	b, err := embedded.Bus(ctx)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, b.Close(context.Background()))
		require.NoError(t, embedded.Stop(context.Background()))
	}()
	heard, reports := make(chan event.Signal, 100), make(chan string, 1)
	start := func(server, role string) *Signals {
		s, err := New(server, Options{Bus: b, Every: time.Hour, Heard: func(e event.Signal) { heard <- e },
			Tell: func(context.Context) (event.Signal, error) {
				return event.Signal{Cluster: "c", Side: "s", Server: server, Role: role, Epoch: 3, Positions: []uint64{7}}, nil
			},
			Report: func(data json.RawMessage) { reports <- string(data) }})
		require.NoError(t, err)
		require.NoError(t, s.Start(ctx))
		return s
	}
	one := start("one", "secondary")
	onlyPrimaries := make(chan *bus.Message, 100)
	l, err := b.Listen(ctx, []bus.Address{{Exchange: bus.Cluster, Key: "primary"}}, func(m *bus.Message) { onlyPrimaries <- m })
	require.NoError(t, err)
	two := start("two", "primary")
	first := <-heard
	require.Equal(t, "two", first.Server, "nobody hears himself")
	require.Equal(t, []uint64{7}, first.Positions)
	m := <-onlyPrimaries
	require.Equal(t, event.TypeOf(event.ClusterSignal), m.Type)
	two.Say(ctx, func(e *event.Signal) { e.StepsDown = true })
	require.True(t, (<-heard).StepsDown)
	two.Pass(map[string]int{"a": 1})
	require.JSONEq(t, `{"a": 1}`, <-reports)
	require.NoError(t, two.Stop(ctx))
	require.True(t, (<-heard).Leaving)
	require.NoError(t, two.Stop(ctx))
	require.NoError(t, one.Stop(ctx))
	require.NoError(t, l.Stop(ctx))
	require.Empty(t, heard)
}
