package faults

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// half is all of one side: a broker, a Consul of its own datacentre, two servers on one store, two runners.
type half struct {
	name    string
	broker  *servers.RabbitMQ
	consul  *servers.Consul
	servers []*process
	runners []*process
}

func (h *half) processes() []*process {
	return slices.Concat(h.servers, h.runners)
}

// dual is two of everything: the sides find each other by Consul, whose datacentres are joined over WAN. Of the embedded pair
// east and west are the first server of each.
type dual struct {
	*pair
	halves [2]*half
	wan    *wan // between the sides; nil where nothing is in between
}

// newDual returns once the secondary has all that the primary has.
func newDual(t *testing.T, ctx context.Context, more ...string) *dual {
	t.Helper()
	return newDualOver(t, ctx, nil, more...)
}

// newDualOver is newDual with a WAN that can be cut.
func newDualOver(t *testing.T, ctx context.Context, w *wan, more ...string) *dual {
	t.Helper()
	d := &dual{pair: &pair{cluster: emptyCluster(t, "vivarium-dual-")}, wan: w}
	d.env = append(sideEnvironment(more...), "VIVARIUM_KEY="+d.key)
	d.startHalves(t, ctx)
	east, west := d.halves[0], d.halves[1]
	both := slices.Concat(east.servers, west.servers)
	t.Cleanup(func() {
		d.servers = both // whichever were asked last
		d.end()
	})
	d.east, d.west = east.servers[0], west.servers[0]
	d.servers, d.runners = both, slices.Concat(east.runners, west.runners)
	for _, p := range d.all() {
		require.NoError(t, p.start())
	}
	for _, p := range d.servers {
		require.NoError(t, until(ctx, p.name+" is not ready", func() bool { return d.ready(p) }), "%s", p.tail())
	}
	require.NoError(t, until(ctx, "the secondary does not follow", func() bool { return d.follows(d.halves[1]) }), "%s", d.west.tail())
	d.getToken(t, ctx)
	return d
}

// follows tells whether both of the side's servers, which have one store, have all that the primary has.
func (d *dual) follows(h *half) bool {
	return d.stands(h.servers[0]).live() && d.stands(h.servers[1]).live()
}

// startHalves starts brokers and Consuls, all at once, since they take longest.
func (d *dual) startHalves(t *testing.T, ctx context.Context) {
	t.Helper()
	var all sync.WaitGroup
	for i, name := range []string{"east", "west"} {
		h := &half{name: name}
		d.halves[i] = h
		all.Go(func() {
			var err error
			h.broker, err = servers.StartRabbitMQ(ctx, t.TempDir())
			require.NoError(t, err)
		})
		all.Go(func() {
			var err error
			h.consul, err = servers.StartConsul(ctx, t.TempDir(), d.consulOf(i, name))
			require.NoError(t, err)
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, h := range d.halves {
		t.Cleanup(func() {
			require.NoError(t, h.broker.Kill())
			require.NoError(t, h.consul.Kill())
		})
		for n := range 2 {
			d.add(h, n+1)
		}
	}
	if d.wan != nil {
		for i, h := range d.halves {
			d.wan.join(t, i, h.consul)
		}
	}
	require.NoError(t, d.halves[0].consul.JoinWAN(ctx, d.halves[1].consul))
}

func (d *dual) consulOf(side int, name string) servers.ConsulOptions {
	o := servers.ConsulOptions{Datacenter: name}
	if d.wan != nil {
		o.AdvertiseWAN = d.wan.address(side)
	}
	return o
}

// add makes a server and a runner of a side; its first servers are the primary's where the side is the east.
func (d *dual) add(h *half, number int) {
	listen, env := "127.0.0.1:0", d.env
	if d.wan != nil && h.name == "east" { // who is followed; the west's servers ask each other, which no cut between the sides is in the way of
		listen = freeAddress(d.t)
		env = append(slices.Clip(env), "VIVARIUM_CONSUL_ADVERTISE="+d.wan.server(d.t, listen))
	}
	args := []string{"server", "--primary-cluster-name", "east", "--listen", listen, "--no-runner", "--bus", h.broker.URL(), "--consul", h.consul.Address(),
		"--store", "sqlite:" + filepath.Join(d.dir, h.name+".db"), "--catalogue", filepath.Join(d.dir, "catalogue")}
	if h.name == "east" {
		args = append(args, "--primary")
	}
	h.servers = append(h.servers, d.process(fmt.Sprint(h.name, number), env, args...))
	runner := fmt.Sprint(h.name, "-runner", number)
	h.runners = append(h.runners, d.process(runner, d.env, "runner", "--pool", "default", "--name", runner, "--bus", h.broker.URL(),
		"--consul", h.consul.Address(), "--concurrency", "4"))
}

// kill ends all of a side in the middle of whatever it does.
func (d *dual) kill(h *half) (killed int) {
	var all sync.WaitGroup
	for _, p := range h.processes() {
		all.Go(p.kill)
	}
	all.Go(func() { require.NoError(d.t, h.broker.Kill()) })
	all.Go(func() { require.NoError(d.t, h.consul.Kill()) })
	all.Wait()
	return len(h.processes()) + 2
}

// startAgain starts all of a side that was killed.
func (d *dual) startAgain(ctx context.Context, h *half, other *half) {
	d.t.Helper()
	require.NoError(d.t, h.broker.Start(ctx))
	require.NoError(d.t, h.consul.Start(ctx))
	require.NoError(d.t, h.consul.JoinWAN(ctx, other.consul))
	for _, p := range h.processes() {
		require.NoError(d.t, p.start())
	}
}

// acts wants both servers of a side to act under an epoch.
func (d *dual) acts(t *testing.T, ctx context.Context, h *half, epoch uint64) {
	t.Helper()
	for _, p := range h.servers {
		require.NoError(t, until(ctx, p.name+" does not act", func() bool {
			s := d.stands(p)
			return s.Role == "primary" && s.Epoch == epoch && d.ready(p)
		}), "%s", p.tail())
	}
}

// returns waits until a side follows the other one, and has all that it has.
func (d *dual) returns(t *testing.T, ctx context.Context, h *half) {
	t.Helper()
	require.NoError(t, until(ctx, "the side "+h.name+" does not come back as a secondary", func() bool {
		for _, p := range h.servers {
			if s := d.stands(p); s.Role != "secondary" || s.Following == nil {
				return false
			}
		}
		return d.follows(h)
	}), "%s", h.servers[0].tail())
}
