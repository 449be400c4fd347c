package runner

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// patience bounds every wait for a real process.
const patience = 60 * time.Second

// TestALostLeaseEndsARealProcess: it is interrupted first, so that it can put things in order, and killed when it has
// not ended within the grace period.
func TestALostLeaseEndsARealProcess(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   string
	}{
		"ends in order": {`trap 'echo interrupted >>"$1"; sleep 0.1; echo ended >>"$1"; exit 0' INT`, "interrupted\nended\n"},
		"does not heed": {`trap 'echo interrupted >>"$1"' INT`, "interrupted\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			said, pid := filepath.Join(dir, "said"), filepath.Join(dir, "pid")
			b := newMemoryBus()
			grace := 500 * time.Millisecond
			if name == "ends in order" {
				grace = patience
			}
			r, err := New(Options{
				Bus: b, Name: "one", Pools: []string{"default"}, WorkDir: filepath.Join(dir, "work"), Box: newBox(t), Log: slog.New(slog.DiscardHandler),
				Executors: []executor.Executor{action.New(action.Options{CacheDir: dir, Environment: os.Environ(), Grace: grace})},
			})
			require.NoError(t, err)
			require.NoError(t, r.Start(t.Context()))
			t.Cleanup(func() { b.release(); _ = r.Stop(t.Context()) })
			b.hear(&bus.Message{Body: envelope(event.RunnerWelcome, event.Welcome{Epoch: 1, HeartbeatEvery: 200 * time.Millisecond})})

			inputs := encode(map[string]any{"command": []string{
				"sh", "-c", c.script + `; echo $$ >"$2.new"; mv "$2.new" "$2"; while :; do sleep 0.02; done`, "sh", said, pid,
			}})
			b.consumer(bus.Tasks("default")).in <- &memoryDelivery{message: bus.Message{Body: envelope(event.TaskOffered, task(func(t *event.Task) {
				t.Executor, t.Inputs = action.Name, inputs
			}))}}
			require.Eventually(t, func() bool { _, err := os.Stat(pid); return err == nil }, patience, time.Millisecond)
			b.stall() // nobody hears the runner any more

			number, err := os.ReadFile(pid)
			require.NoError(t, err)
			require.Eventually(t, func() bool { return gone(string(bytes.TrimSpace(number))) }, patience, time.Millisecond)
			text, err := os.ReadFile(said)
			require.NoError(t, err, "it was killed without a warning")
			require.Equal(t, c.want, string(text))

			b.release() // and now it is heard again
			var result event.Result
			require.Eventually(t, func() bool { return finished(t, b, &result) }, patience, time.Millisecond)
			require.Equal(t, fault.RunnerLost, result.Error.Code)
			require.Equal(t, fault.Retry, result.Error.Disposition)
		})
	}
}

// finished finds the result of the only task.
func finished(t *testing.T, b *memoryBus, result *event.Result) bool {
	for _, m := range b.messages() {
		if m.Type == event.TypeOf(event.TaskFinished) {
			e, err := event.Decode(m.Body)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(e.Data, result))
			return true
		}
	}
	return false
}

func gone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}
