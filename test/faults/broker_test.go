package faults

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// brokerRestarts restarts the broker, and kills it, while environments come and go.
func brokerRestarts(t *testing.T, r *row) {
	ctx, cancel := context.WithTimeout(t.Context(), either(15*time.Minute, 3*time.Minute))
	defer cancel()
	random := newChoice(t)
	c := newCluster(t, ctx, clusterOptions{servers: 2, runners: 2})
	for r.rounds < either(6, 1) {
		r.rounds++
		over := make(chan error, 1)
		prefix := fmt.Sprint("b", r.rounds)
		go func() { over <- c.wave(ctx, prefix, either(20, 8), true, matrix) }()
		pause(ctx, random.between(500*time.Millisecond, 2*time.Second))
		if r.rounds%2 == 0 {
			require.NoError(t, c.broker.Kill())
			r.kills++
			require.NoError(t, c.broker.Start(ctx))
		} else {
			require.NoError(t, c.broker.Restart(ctx))
		}
		require.NoError(t, <-over)
	}
	c.verify(r, proof{})
}

// brokerCutOff cuts a server, a runner, or both off from the broker. In the short form it lasts less than a lease, and
// nobody loses anything; in the long one more, and somebody else takes over.
func brokerCutOff(t *testing.T, r *row) {
	ctx, cancel := context.WithTimeout(t.Context(), either(15*time.Minute, 3*time.Minute))
	defer cancel()
	broker := newProxyMap(t)
	c := newCluster(t, ctx, clusterOptions{servers: 2, runners: 2, via: broker.via})
	plan := either([][]string{{"server1"}, {"runner1"}, {"server1", "runner1"}}, [][]string{{"server1", "runner1"}})
	for _, cut := range plan {
		r.rounds++
		over := make(chan error, 1)
		prefix := fmt.Sprint("c", r.rounds)
		go func() { over <- c.wave(ctx, prefix, 6, true, slowAndMatrix) }()
		require.NoError(t, c.untilRunning(ctx, prefix+"-0", "slow.action.long0"))
		for _, name := range cut {
			broker.of(name).cut()
		}
		pause(ctx, either(30*time.Second, 6*time.Second))
		for _, name := range cut {
			broker.of(name).open()
		}
		require.NoError(t, <-over)
	}
	c.verify(r, proof{overlap: time.Second})
	if !long {
		c.resumed(t)
	}
}

// slowAndMatrix mixes steps that outlast a lease with many quick ones.
func slowAndMatrix(i int) string {
	if i%2 == 0 {
		return "slow"
	}
	return "matrix"
}

// untilRunning waits until a step has begun.
func (c *cluster) untilRunning(ctx context.Context, name, step string) error {
	return until(ctx, step+" of "+name+" does not begin", func() bool {
		journal, err := c.journal(name)
		if err != nil {
			return false
		}
		for _, e := range journal {
			if e.Type == "step.running" && e.Data.Step == step {
				return true
			}
		}
		return false
	})
}

// resumed wants the long steps to be done at the first attempt: who comes back in time goes on with his own work.
func (c *cluster) resumed(t *testing.T) {
	for _, name := range c.names {
		journal, err := c.journal(name)
		require.NoError(t, err)
		for _, e := range journal {
			if e.Type == "step.complete" && (e.Data.Step == "slow.action.long0" || e.Data.Step == "slow.action.long1") {
				require.Equal(t, 1, e.Data.Attempt, "%s of %s was begun again after a cut that was shorter than a lease", e.Data.Step, name)
			}
		}
	}
}

// connectionsReset ends connections again and again, each time after the broker's answers were held back for a moment:
// what was published has arrived, and nobody knows.
func connectionsReset(t *testing.T, r *row) {
	ctx, cancel := context.WithTimeout(t.Context(), either(15*time.Minute, 3*time.Minute))
	defer cancel()
	random := newChoice(t)
	broker := newProxyMap(t)
	c := newCluster(t, ctx, clusterOptions{servers: 2, runners: 2, via: broker.via})
	ended := 0
	for waves := 0; r.rounds < either(60, 10); waves++ {
		over := make(chan error, 1)
		prefix := fmt.Sprint("r", waves)
		go func() { over <- c.wave(ctx, prefix, either(20, 8), true, matrix) }()
		rounds, connections, err := broker.resetUntil(ctx, random, over, either(60, 10)-r.rounds)
		require.NoError(t, err)
		r.rounds += rounds
		ended += connections
	}
	r.note = fmt.Sprintf("%d connections reset with confirms under way", ended)
	c.verify(r, proof{})
}

// proxyMap has a proxy for each process.
type proxyMap struct {
	t       *testing.T
	target  string
	proxies map[string]*proxy
	names   []string
}

func newProxyMap(t *testing.T) *proxyMap {
	return &proxyMap{t: t, target: sharedBroker(t).Address(), proxies: map[string]*proxy{}}
}

func (m *proxyMap) via(name string) string { return m.of(name).url() }

func (m *proxyMap) of(name string) *proxy {
	if m.proxies[name] == nil {
		m.proxies[name] = newProxy(m.t, m.target)
		m.names = append(m.names, name)
	}
	return m.proxies[name]
}

// resetUntil resets until the wave is over, at most so many times.
func (m *proxyMap) resetUntil(ctx context.Context, random choice, over chan error, most int) (rounds, ended int, err error) {
	for {
		select {
		case err := <-over:
			return rounds, ended, err
		case <-time.After(random.between(50*time.Millisecond, 1500*time.Millisecond)):
		}
		if rounds >= most {
			continue
		}
		rounds++
		p := m.proxies[m.names[random.IntN(len(m.names))]]
		p.mute()
		pause(ctx, random.between(5*time.Millisecond, 150*time.Millisecond))
		ended += p.reset()
		p.open()
	}
}
