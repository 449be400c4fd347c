package amqp_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rabbithole "github.com/michaelklishin/rabbit-hole/v3"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/amqp"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// issuer makes users of a real broker, as Vault's engine does, and takes them away.
type issuer struct {
	t       *testing.T
	broker  *rabbithole.Client
	mu      sync.Mutex
	made    int
	current amqp.Login
	spent   chan struct{}
}

func newIssuer(t *testing.T, m *servers.RabbitMQ) *issuer {
	t.Helper()
	c, err := rabbithole.NewClient(m.Management(), "guest", "guest")
	require.NoError(t, err)
	c.SetTransport(&http.Transport{DisableKeepAlives: true})
	require.Eventually(t, func() bool { _, err := c.Overview(); return err == nil }, time.Minute, 50*time.Millisecond)
	i := &issuer{t: t, broker: c}
	i.next()
	return i
}

// next makes a user, and spends the one before.
func (i *issuer) next() {
	i.t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	name := fmt.Sprint("issued-", i.made)
	_, err := i.broker.PutUser(name, rabbithole.UserSettings{Password: "secret-" + name})
	require.NoError(i.t, err)
	_, err = i.broker.UpdatePermissionsIn("/", name, rabbithole.Permissions{Configure: ".*", Write: ".*", Read: ".*"})
	require.NoError(i.t, err)
	if i.spent != nil {
		close(i.spent)
	}
	i.spent = make(chan struct{})
	i.current = amqp.Login{User: name, Password: "secret-" + name, Spent: i.spent}
}

// login has another user made for who was refused.
func (i *issuer) login(_ context.Context, refused string) (amqp.Login, error) {
	i.mu.Lock()
	same := i.current.User == refused
	i.mu.Unlock()
	if same {
		i.next()
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.current, nil
}

// connected are the users of the broker's connections.
func (i *issuer) connected() map[string]int {
	list, err := i.broker.ListConnections()
	require.NoError(i.t, err)
	of := map[string]int{}
	for _, c := range list {
		of[c.User]++
	}
	return of
}

// traffic is a publisher that does not rest, and a consumer that counts.
type traffic struct {
	sent atomic.Int64
	mu   sync.Mutex
	got  map[string]int
	end  func()
}

func begin(t *testing.T, b *amqp.Bus, queue string) *traffic {
	t.Helper()
	w := &traffic{got: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	sub, err := b.Consume(ctx, bus.ConsumeOptions{Queue: queue, Prefetch: 16}, func(d bus.Delivery) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.got[d.Message().ID]++
		d.Ack()
	})
	require.NoError(t, err)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for ctx.Err() == nil {
			n := w.sent.Load() + 1
			if b.Publish(context.Background(), bus.Message{ID: fmt.Sprint(n), To: bus.Address{Key: queue}}) == nil {
				w.sent.Store(n)
			}
		}
	}()
	w.end = func() {
		cancel()
		<-over
		require.Eventually(t, func() bool { return w.count() >= int(w.sent.Load()) }, time.Minute, 10*time.Millisecond)
		require.NoError(t, sub.Stop(context.Background()))
	}
	return w
}

func (w *traffic) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.got)
}

// twice are messages that were handed out more than once.
func (w *traffic) twice() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, n := range w.got {
		if n > 1 {
			list = append(list, id)
		}
	}
	return list
}

// goesOn waits until some more messages have gone through.
func (w *traffic) goesOn(t *testing.T) {
	t.Helper()
	now := w.count()
	require.Eventually(t, func() bool { return w.count() > now+50 }, time.Minute, 5*time.Millisecond)
}

func startManaged(t *testing.T) *servers.RabbitMQ {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := servers.StartRabbitMQ(ctx, t.TempDir(), servers.RabbitMQOptions{Management: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Kill() })
	return m
}

// TestASpentLoginIsReplacedInTraffic: the connection with new credentials is there before the old one goes, and each message comes
// once, in whatever moment; when the broker forgets a user at once, all of them still come.
func TestASpentLoginIsReplacedInTraffic(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real RabbitMQ")
	}
	m := startManaged(t)
	i := newIssuer(t, m)
	b, err := amqp.Dial(t.Context(), amqp.Options{URL: "amqp://" + m.Address() + "/", Login: i.login})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close(context.Background())) }()
	require.NoError(t, b.Declare(t.Context(), bus.Topology{Pools: []string{"eu"}, Partitions: 1, MaxDeliveries: 20}))
	var heard sync.Map
	var twice atomic.Int64
	l, err := b.Listen(t.Context(), []bus.Address{{Exchange: bus.Events, Key: "#"}}, func(m *bus.Message) {
		if _, before := heard.LoadOrStore(m.ID, true); before {
			twice.Add(1)
		}
	})
	require.NoError(t, err)

	tasks, results := begin(t, b, bus.Tasks("eu")), begin(t, b, bus.Partition(0))
	published := 0
	for range 5 {
		tasks.goesOn(t)
		i.next()
		for range 20 {
			published++
			require.NoError(t, b.Publish(t.Context(), bus.Message{ID: fmt.Sprint(published), To: bus.Address{Exchange: bus.Events, Key: "environment.a.b"}}))
		}
		results.goesOn(t)
	}
	require.Eventually(t, func() bool { of := i.connected(); return len(of) == 1 && of["issued-6"] == 2 }, time.Minute, 100*time.Millisecond, "%v", i.connected)
	require.Eventually(t, func() bool {
		n := 0
		heard.Range(func(_, _ any) bool { n++; return true })
		return n == published
	}, time.Minute, 10*time.Millisecond, "a listener missed something")
	require.Zero(t, twice.Load())
	require.Empty(t, tasks.twice(), "what was handed out was settled before")
	require.Empty(t, results.twice())
	require.True(t, b.Status().Connected)

	_, err = i.broker.DeleteUser("issued-6")
	require.NoError(t, err)
	tasks.goesOn(t)
	results.goesOn(t)
	require.Eventually(t, func() bool { return i.connected()["issued-7"] == 2 }, time.Minute, 100*time.Millisecond)
	tasks.end()
	results.end()
	require.NoError(t, l.Stop(context.Background()))
}

// TestNoLogin: who has no credentials says why, at once where only a person can put it right.
func TestNoLogin(t *testing.T) {
	broker := servers.SharedRabbitMQ(t)
	for _, disposition := range []fault.Disposition{fault.GiveUp, fault.Reject} {
		_, err := amqp.Dial(t.Context(), amqp.Options{URL: broker.URL(), Login: func(context.Context, string) (amqp.Login, error) {
			return amqp.Login{}, fault.New(disposition, fault.NotFound, "there is no such role")
		}})
		require.True(t, fault.Is(err, fault.NotFound), "%v", err)
		require.ErrorContains(t, err, "no such role")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := amqp.Dial(ctx, amqp.Options{URL: broker.URL(), Login: func(context.Context, string) (amqp.Login, error) {
		return amqp.Login{}, fault.New(fault.Wait, fault.Unavailable, "Vault is sealed")
	}})
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.ErrorContains(t, err, "Vault is sealed")
	require.NotContains(t, err.Error(), "does not answer")
}

// TestACertificateOfSomebody: whom nobody vouches for is told nothing, and the error says what to do.
func TestACertificateOfSomebody(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	_, err := amqp.Dial(t.Context(), amqp.Options{URL: "amqps://guest:secret@" + s.Listener.Addr().String() + "/"})
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	require.ErrorContains(t, err, "bus_ca_file")
	require.NotContains(t, err.Error(), "secret")
}
