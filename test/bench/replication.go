package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// sides are a primary's store that is served on the loopback, and a secondary's that follows it, both on this machine.
type sides struct {
	from, to *sqlite.Store
	follower *replication.Follower
	source   *replication.Source
	server   *http.Server
	served   sync.WaitGroup
	seqs     [partitions]uint64
	chains   [partitions]string
}

// replicate measures how far a secondary is behind, and how fast it catches up.
func replicate(ctx context.Context, r *report) error {
	return inFolder(func(dir string) (err error) {
		s := &sides{}
		if s.from, err = sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, "from.db")}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.from.Close()) }()
		if s.to, err = sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, "to.db")}); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.to.Close()) }()
		if err := s.serve(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		if err := s.lag(ctx, r); err != nil {
			return err
		}
		return s.catchUp(ctx, r)
	})
}

func (s *sides) serve(ctx context.Context) error {
	key, err := secret.NewKey()
	if err != nil {
		return err
	}
	box, err := secret.NewBox(key)
	if err != nil {
		return err
	}
	self := replication.Identity{Cluster: "east", Server: "one", Role: replication.Primary, Epoch: 1}
	s.source, err = replication.NewSource(replication.SourceOptions{Store: s.from, Partitions: partitions, Box: box, Token: "bench",
		Self: func() replication.Identity { return self }})
	if err == nil {
		err = s.source.Start(ctx)
	}
	if err != nil {
		return err
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.server = &http.Server{Handler: s.source, ReadHeaderTimeout: time.Second}
	s.served.Go(func() { _ = s.server.Serve(l) })
	s.follower, err = replication.NewFollower(replication.Options{Store: s.to, Partitions: partitions, Token: "bench",
		Find: replication.Static{"http://" + l.Addr().String()}})
	return err
}

func (s *sides) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := errors.Join(s.follower.Stop(ctx), s.source.Stop(ctx), s.server.Close())
	s.served.Wait()
	return err
}

// append writes entries that change nothing, but the last of which has the time in it.
func (s *sides) append(ctx context.Context, partition, count int) error {
	b := store.Batch{Partition: partition, Epoch: 1}
	for range count {
		data, err := json.Marshal(environment.CommandRejected{CommandID: fmt.Sprint(s.seqs[partition]), Command: "environment.create"})
		if err != nil {
			return err
		}
		s.seqs[partition]++
		e := store.Entry{Partition: partition, Seq: s.seqs[partition], Environment: fmt.Sprintf("e%d-%d", partition, s.seqs[partition]%50),
			Type: (environment.CommandRejected{}).Type(), Time: time.Now().UTC(), Epoch: 1, Data: data}
		e.Chain = store.Link(s.chains[partition], e)
		s.chains[partition] = e.Chain
		b.Entries = append(b.Entries, e)
	}
	return s.from.Append(ctx, b)
}

// lag writes 1,000 entries a second for ten seconds, ten at a time, and looks when each ten are in the other store.
func (s *sides) lag(ctx context.Context, r *report) error {
	if err := s.follower.Start(ctx); err != nil {
		return err
	}
	type written struct {
		partition int
		seq       uint64
		at        time.Time
	}
	var lags, floor []time.Duration
	waiting := make(chan written, 10_000)
	var watcher sync.WaitGroup
	var failed error
	watcher.Go(func() {
		for w := range waiting {
			for failed == nil {
				head, err := s.to.Head(ctx, w.partition)
				if failed = err; head.Seq >= w.seq {
					break
				}
				time.Sleep(time.Millisecond)
			}
			lags = append(lags, time.Since(w.at))
		}
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var err error
	for i := 0; i < 1000 && err == nil; i++ {
		<-tick.C
		p := i % partitions
		begin := time.Now()
		err = s.append(ctx, p, 10)
		floor = append(floor, time.Since(begin))
		waiting <- written{p, s.seqs[p], time.Now()}
	}
	close(waiting)
	watcher.Wait()
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	slices.Sort(lags)
	slices.Sort(floor)
	r.row("replication: lag at 1,000 entries a second, p50", fmt.Sprintf("%.0f ms", float64(lags[len(lags)/2].Microseconds())/1000), "")
	r.row("replication: lag at 1,000 entries a second, p99", fmt.Sprintf("%.0f ms", float64(lags[len(lags)*99/100].Microseconds())/1000), "< 250 ms")
	r.row("replication: the same ten entries in the primary's own store, p99", fmt.Sprintf("%.0f ms", float64(floor[len(floor)*99/100].Microseconds())/1000), "")
	return s.follower.Stop(ctx)
}

// catchUp has a fresh follower take 1,000,000 entries that are there already.
func (s *sides) catchUp(ctx context.Context, r *report) error {
	const many = 1_000_000
	for i := range many / 1000 {
		if err := s.append(ctx, i%partitions, 1000); err != nil {
			return err
		}
	}
	runtime.GC()
	again, err := replication.NewFollower(s.follower.Options)
	if err != nil {
		return err
	}
	s.follower = again
	begin, most := time.Now(), uint64(0)
	if err := again.Start(ctx); err != nil {
		return err
	}
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
		if st := again.Status(); st.State == replication.Live {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	took := time.Since(begin)
	r.row("replication: catch-up of 1,000,000 entries", fmt.Sprintf("%.1f s, %.0f entries a second", took.Seconds(), many/took.Seconds()), "")
	r.row("replication: memory of both sides meanwhile", fmt.Sprintf("%d MiB", most>>20), "bounded")
	return nil
}
