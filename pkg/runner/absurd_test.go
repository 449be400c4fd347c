package runner

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
)

func TestWhatANewerServerAddsIsIgnored(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		var data map[string]any
		require.NoError(t, json.Unmarshal(encode(task()), &data))
		data["colour"], data["priority"] = "blue", map[string]any{"level": 7}
		d := g.deliver(&memoryDelivery{message: bus.Message{Body: envelope(event.TaskOffered, data)}})
		require.Equal(t, []string{"ack"}, d.fates())
		require.Nil(t, g.result().Error)
	})
}

func TestATaskOfNoPartitionGoesToTheDeadLetters(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.tell(event.RunnerWelcome, event.Welcome{Partitions: 4})
		d := g.offer(task(in(4)))
		require.Equal(t, []string{"dead unreadable"}, d.fates(), "its result would be sent for ever")
		require.Equal(t, []string{"ack"}, g.offer(task(in(3))).fates())
		g.result()
	})
}

// TestAbsurdNumbersOfATask are survived: what can't be meant is taken for what comes nearest.
func TestAbsurdNumbersOfATask(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		for i, change := range []func(*event.Task){
			func(t *event.Task) { t.Timeout = math.MaxInt64 },
			func(t *event.Task) { t.Timeout = math.MinInt64 },
			func(t *event.Task) { t.Attempt = math.MinInt },
			func(t *event.Task) { t.AcceptBefore = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
			func(t *event.Task) { t.Step = strings.Repeat("long", 1<<20) },
			func(t *event.Task) { t.Inputs = json.RawMessage(strings.Repeat("[", 9000) + strings.Repeat("]", 9000)) },
		} {
			g.offer(task(named(fmt.Sprint(i)), change))
			require.Len(t, g.results(), i+1)
			require.Nil(t, g.results()[i].Error, "%d", i)
		}
		g.tell(event.RunnerWelcome, event.Welcome{Epoch: 1, HeartbeatEvery: math.MaxInt64})
		require.Equal(t, longHeartbeat, g.runner.heartbeatEvery(), "or the lease would overflow and every task be cancelled")
		g.tell(event.RunnerWelcome, event.Welcome{Epoch: 1, HeartbeatEvery: 1})
		require.Equal(t, shortHeartbeat, g.runner.heartbeatEvery())
		g.tell(event.RunnerWelcome, event.Welcome{Epoch: 1, HeartbeatEvery: math.MinInt64})
		require.Equal(t, shortHeartbeat, g.runner.heartbeatEvery(), "it stays")
	})
}
