package nats_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/bustest"
	"github.com/vivarium-env/vivarium/pkg/bus/nats"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func start(t testing.TB, o nats.EmbeddedOptions) *nats.Embedded {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	e, err := nats.StartEmbedded(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop(context.Background())) })
	return e
}

func connect(t testing.TB, e *nats.Embedded) bus.Bus {
	t.Helper()
	b, err := e.Bus(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close(context.Background())) })
	return b
}

func BenchmarkEmbedded(b *testing.B) {
	e := start(b, nats.EmbeddedOptions{Listen: nats.NoListen})
	bustest.Bench(b, func(ctx context.Context) (bus.Bus, error) { return e.Bus(ctx) })
}

// receive consumes one message from a queue and acknowledges it.
func receive(t *testing.T, b bus.Bus, queue string) *bus.Message {
	t.Helper()
	got := make(chan bus.Delivery, 10)
	sub, err := b.Consume(t.Context(), bus.ConsumeOptions{Queue: queue, Prefetch: 1}, func(d bus.Delivery) { got <- d })
	require.NoError(t, err)
	defer func() { require.NoError(t, sub.Stop(t.Context())) }()
	select {
	case d := <-got:
		d.Ack()
		return d.Message()
	case <-time.After(30 * time.Second):
		require.FailNow(t, "nothing came")
		return nil
	}
}

var topology = bus.Topology{Partitions: 2, Pools: []string{"default"}}

// TestEmbeddedInProcess: a connection inside the process needs no port, and the token is given to it.
func TestEmbeddedInProcess(t *testing.T) {
	e := start(t, nats.EmbeddedOptions{Listen: nats.NoListen, Token: "t"})
	require.Empty(t, e.Address())
	require.Empty(t, e.ClientURL())
	b := connect(t, e)
	s := b.Status()
	require.Equal(t, "embedded", s.Driver)
	require.True(t, s.Connected)
	require.Regexp(t, `^NATS \d+\.\d+\.\d+$`, s.Server)
	require.NoError(t, b.Declare(t.Context(), topology))
	require.NoError(t, b.Publish(t.Context(), bus.Message{To: bus.Address{Key: bus.Partition(1)}, ID: "1", Body: []byte("hello")}))
	require.Equal(t, "hello", string(receive(t, b, bus.Partition(1)).Body))
}

// safeBuffer is a buffer that several may write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestEmbeddedToken: who has no token is refused at once, and no text says the token.
func TestEmbeddedToken(t *testing.T) {
	const secret = "s3cr3t/token"
	var log safeBuffer
	e := start(t, nats.EmbeddedOptions{Token: secret, Log: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	b, err := nats.Connect(ctx, nats.Options{URL: e.ClientURL(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	require.Equal(t, e.Address(), b.Status().Address)
	require.NoError(t, b.Close(ctx))
	_, err = nats.Connect(ctx, nats.Options{URL: "nats://wrong@" + e.Address()})
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	_, err = nats.Connect(ctx, nats.Options{URL: "nats://" + secret + "@" + e.Address()}) // not encoded
	require.NotContains(t, err.Error(), "s3cr3t")
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	_, err = nats.Connect(ctx, nats.Options{URL: "nats://" + e.Address()})
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	require.NotContains(t, err.Error(), secret)
	require.NotContains(t, log.String(), secret)
}

// TestEmbeddedEncrypted: nothing of a message is readable on the disk, another key reads nothing, and the right one all.
func TestEmbeddedEncrypted(t *testing.T) {
	body := "body-" + rand.Text()
	for _, key := range []string{"", "a key"} {
		dir := t.TempDir()
		e, err := nats.StartEmbedded(t.Context(), nats.EmbeddedOptions{Dir: dir, Listen: nats.NoListen, EncryptionKey: key})
		require.NoError(t, err)
		b, err := e.Bus(t.Context())
		require.NoError(t, err)
		require.NoError(t, b.Declare(t.Context(), topology))
		require.NoError(t, b.Publish(t.Context(), bus.Message{To: bus.Address{Key: bus.Logs}, ID: "1", Body: []byte(body)}))
		require.NoError(t, b.Close(t.Context()))
		require.NoError(t, e.Stop(t.Context()))
		require.Equal(t, key == "", onDisk(t, dir, body))
		if key != "" {
			_, err = nats.StartEmbedded(t.Context(), nats.EmbeddedOptions{Dir: dir, Listen: nats.NoListen, EncryptionKey: "another"})
			require.Error(t, err)
		}
		again := connect(t, start(t, nats.EmbeddedOptions{Dir: dir, Listen: nats.NoListen, EncryptionKey: key}))
		require.Equal(t, body, string(receive(t, again, bus.Logs).Body))
	}
}

func onDisk(t *testing.T, dir, text string) (found bool) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found = found || strings.Contains(string(content), text)
		return err
	}))
	return found
}

// TestEmbeddedBusy: two servers on one folder would ruin it.
func TestEmbeddedBusy(t *testing.T) {
	dir := t.TempDir()
	first := start(t, nats.EmbeddedOptions{Dir: dir})
	_, err := nats.StartEmbedded(t.Context(), nats.EmbeddedOptions{Dir: dir})
	require.True(t, fault.Is(err, fault.Busy), "%v", err)
	require.NoError(t, first.Stop(t.Context()))
	require.NoError(t, first.Stop(t.Context()), "stopping twice")
	start(t, nats.EmbeddedOptions{Dir: dir})

	_, err = nats.StartEmbedded(t.Context(), nats.EmbeddedOptions{Dir: t.TempDir(), Listen: "nonsense"})
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
}

// TestPortTaken: a port that is taken is an error, not an exit.
func TestPortTaken(t *testing.T) {
	e := start(t, nats.EmbeddedOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := nats.StartEmbedded(ctx, nats.EmbeddedOptions{Dir: t.TempDir(), Listen: e.Address()})
	require.ErrorContains(t, err, "address already in use")
}

// TestDuplicates: a message that is published to a queue twice is there once; a command is there twice, to be answered
// twice.
func TestDuplicates(t *testing.T) {
	b := connect(t, start(t, nats.EmbeddedOptions{Listen: nats.NoListen}))
	require.NoError(t, b.Declare(t.Context(), topology))
	m := bus.Message{To: bus.Address{Key: bus.Partition(0)}, ID: "same", Body: []byte("m")}
	other := m
	other.To.Key = bus.Partition(1)
	last := bus.Message{To: m.To, ID: "last", Body: []byte("last")}
	require.NoError(t, b.Publish(t.Context(), m, m, other, last))
	require.Equal(t, "m", string(receive(t, b, bus.Partition(0)).Body))
	require.Equal(t, "last", string(receive(t, b, bus.Partition(0)).Body))
	require.Equal(t, "m", string(receive(t, b, bus.Partition(1)).Body), "ids count per queue")

	c := bus.Message{To: bus.Address{Exchange: bus.Commands, Key: "environment.create"}, ID: "same", Body: []byte("c")}
	require.NoError(t, b.Publish(t.Context(), c, c))
	require.Equal(t, "same", receive(t, b, bus.Commands).ID)
	require.Equal(t, "same", receive(t, b, bus.Commands).ID)
}

// TestUndeclared: publishing before anything is declared is an error that says so.
func TestUndeclared(t *testing.T) {
	b := connect(t, start(t, nats.EmbeddedOptions{Listen: nats.NoListen}))
	err := b.Publish(t.Context(), bus.Message{To: bus.Address{Exchange: bus.Commands, Key: "environment.create"}, ID: "1"})
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	for _, queue := range []string{bus.Tasks("x"), bus.Partition(0)} {
		_, err = b.Consume(t.Context(), bus.ConsumeOptions{Queue: queue, Prefetch: 1}, func(bus.Delivery) {})
		require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	}
}

func TestConnectFails(t *testing.T) {
	_, err := nats.Connect(t.Context(), nats.Options{URL: "::secret::"})
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	require.NotContains(t, err.Error(), "secret")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = nats.Connect(ctx, nats.Options{URL: "nats://user:secret@127.0.0.1:1"})
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.NotContains(t, err.Error(), "secret")
}
