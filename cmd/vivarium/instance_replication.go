package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/consul"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/orchestrator"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// keyFile is where a secondary keeps its primary's key. Its own stays: the embedded bus's files are under it.
const keyFile = "key.cluster"

// adoptedKey is the key that a primary gave, nil when none did: the own key is the cluster's.
func (s *instance) adoptedKey() (*secret.Box, error) { return keptKey(s.path(keyFile)) }

// keptKey is the key in a file, nil where there is none; none is made.
func keptKey(file string) (*secret.Box, error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing is wrong
	}
	key, err := secret.LoadKey(file)
	if err != nil {
		return nil, err
	}
	return secret.NewBox(key)
}

// keyID is that of the cluster's key, empty in a secondary that was given none yet. A side that has acted has sealed with its own, and takes
// no other.
func (s *instance) keyID() string {
	if s.settings.Key != "" {
		return s.box.ID()
	}
	box, err := s.adoptedKey()
	if err != nil {
		s.log.Error("the cluster's key can't be read", "error", err)
	}
	if r, err := readRole(s.dir); box == nil && (r != nil || err != nil) {
		return s.box.ID()
	}
	if box == nil {
		return ""
	}
	return box.ID()
}

// takeKey keeps what the primary gave; it counts from the next start on, or from a takeover.
func (s *instance) takeKey(key []byte) error {
	s.log.Info("the primary has given the cluster's key", "file", s.path(keyFile))
	return writePrivate(s.path(keyFile), []byte(base64.StdEncoding.EncodeToString(key)+"\n"))
}

// openSource serves secondaries, where both sides have a token. A secondary serves, too: it says who it is, and no more.
func (s *instance) openSource(ctx context.Context) (err error) {
	if s.settings.Replication.Token == "" {
		return nil
	}
	s.source, err = replication.NewSource(replication.SourceOptions{Store: s.store, Partitions: s.settings.Partitions, Self: s.identity,
		Box: s.box, Token: s.settings.Replication.Token, Orders: s.orders(), Log: s.log.With("part", "replication"),
		Lends: s.lends, Told: s.heardSecondary, Reported: s.reported, Counted: s.countedFor, Side: s.sideMembers})
	if err != nil {
		return err
	}
	if err := s.openMembership(ctx); err != nil {
		return err
	}
	return s.source.Start(ctx)
}

func (s *instance) closeSource(ctx context.Context) error {
	if s.source == nil {
		return nil
	}
	return errors.Join(s.source.Stop(ctx), s.closeMembership(ctx))
}

func (s *instance) identity() replication.Identity {
	return replication.Identity{Cluster: s.settings.PrimaryClusterName, Server: s.id, Version: version, Role: replication.Role(s.role()), Epoch: s.epoch,
		Lease: s.settings.Cluster.Lease, Begun: s.begun.UTC()}
}

func (s *instance) replicationHandler() http.Handler {
	if s.source == nil {
		return nil
	}
	return s.source
}

// startFollower lets a secondary follow, and answer commands with who takes them.
func (s *instance) startFollower(ctx context.Context) (err error) {
	if s.settings.Primary {
		return nil
	}
	s.refuser = orchestrator.NewRefuser(orchestrator.RefuserOptions{Bus: s.bus, Cluster: s.settings.PrimaryClusterName, Primary: s.whereIsThePrimary,
		HandOver: s.handsOver(), HandedOver: s.allHandedOver, Log: s.log})
	if err := s.refuser.Start(ctx); err != nil {
		return err
	}
	if s.settings.Replication.Token == "" {
		s.log.Warn("this secondary follows nobody: set replication.token on both sides")
		return nil
	}
	client, err := s.replicationClient()
	if err != nil {
		return errors.Join(err, s.refuser.Stop(ctx))
	}
	self := s.name()
	self.Side = s.side()
	s.follower, err = replication.NewFollower(replication.Options{Store: s.store, Partitions: s.settings.Partitions, Find: s.finder(),
		Token: s.settings.Replication.Token, Self: self, Members: s.sideMembers,
		Primary: s.followed(), Lease: s.settings.Cluster.Lease, Telling: s.promise.Told, Floor: s.promised, Heard: s.heardPrimary, Knows: s.tally.knows, Prompt: s.settings.Cluster.Lease > 0, KeyID: s.keyID, TakeKey: s.takeKey, Client: client, Log: s.log.With("part", "replication")})
	if err == nil {
		err = s.follower.Start(ctx)
	}
	if err != nil {
		return errors.Join(err, s.refuser.Stop(ctx))
	}
	return nil
}

func (s *instance) stopFollower(ctx context.Context) error {
	var all error
	if s.follower != nil {
		all = s.follower.Stop(ctx)
	}
	if s.refuser != nil {
		all = errors.Join(all, s.refuser.Stop(ctx))
	}
	return all
}

// name is what this secondary is called by its primary, the same over restarts: the lease knows it by that. Where no name is given, the
// host's and the data folder's make it the only one of its name.
func (s *instance) name() replication.Name {
	n := replication.Name{Cluster: s.ownCluster(), Server: runnerName(s.settings, "server"), Version: version, API: s.ownAddress()}
	if s.settings.Runner.Name == "" {
		sum := sha256.Sum256([]byte(s.dir))
		n.Server += "-" + hex.EncodeToString(sum[:4])
	}
	return n
}

// ownCluster is what this secondary's side is called.
func (s *instance) ownCluster() string {
	return cmp.Or(s.consul.datacentre(), "secondary")
}

// followed is the cluster that is followed; whoever is at a given address where no name is.
func (s *instance) followed() string {
	if s.settings.IsDefault("primary_cluster_name") {
		return ""
	}
	return s.settings.PrimaryClusterName
}

// replicationClient asks the other side. What is wrong with the roots is said at the start, by whichever role the server has.
func (s *instance) replicationClient() (*http.Client, error) {
	roots, err := readRoots(s.settings.Replication.CAFile, "the other side (replication.ca_file)")
	if err != nil {
		return nil, err
	}
	check := &tls.Config{MinVersion: tls.VersionTLS12} // with one HTTP stays at 1.1, whosever the roots are: a stream has a connection of its own
	if roots != "" {
		check = trust(roots)
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: check, ResponseHeaderTimeout: 20 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute}
	return &http.Client{Transport: t}, nil
}

// finder knows where the primary is: by its addresses, or by Consul.
func (s *instance) finder() replication.Finder {
	if len(s.settings.Replication.Primary) > 0 || s.consul == nil {
		return replication.Static(s.others())
	}
	return consulFinder{s}
}

// consulFinder looks for the primary's servers in its datacentre.
type consulFinder struct{ *instance }

// Find implements replication.Finder.
func (f consulFinder) Find(ctx context.Context) ([]string, error) {
	found, err := f.primaries(ctx)
	addresses := make([]string, len(found))
	for i := range found {
		addresses[i] = found[i].URL()
	}
	return addresses, err
}

// primaries are all servers that call themselves so, in all datacentres: after a takeover the primary is in another one than the one that
// the cluster is called by, where those that were lost may still be registered. Who is healthy and has the highest epoch comes first.
func (f consulFinder) primaries(ctx context.Context) (found []consul.Instance, failed error) {
	datacentres := []string{f.settings.PrimaryClusterName}
	if known, err := f.consul.client.Datacentres(ctx); err == nil {
		datacentres = append(datacentres, known...)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, datacentre := range distinct(datacentres...) {
		all.Go(func() { // one that is cut off hides no other
			some, err := f.consul.client.Find(ctx, f.consul.service+"-server", datacentre)
			mu.Lock()
			defer mu.Unlock()
			failed, found = errors.Join(failed, err), append(found, some...)
		})
	}
	all.Wait()
	found = slices.DeleteFunc(found, func(i consul.Instance) bool {
		return i.Role != string(replication.Primary) || i.Cluster != f.settings.PrimaryClusterName
	})
	slices.SortFunc(found, func(a, b consul.Instance) int {
		if a.Healthy != b.Healthy {
			return map[bool]int{true: -1, false: 1}[a.Healthy]
		}
		return cmp.Or(cmp.Compare(b.Epoch, a.Epoch), cmp.Compare(a.Datacentre, b.Datacentre), cmp.Compare(a.ID, b.ID))
	})
	if len(found) > 0 {
		failed = nil
	}
	return found, failed
}

// whereIsThePrimary is for people who asked the wrong side.
func (s *instance) whereIsThePrimary() string {
	if s.follower != nil {
		if st := s.follower.Status(); st.Address != "" {
			return st.Address
		}
	}
	return strings.Join(s.others(), " ")
}

// lag is nil in a primary, which is behind nobody.
func (s *instance) lag() func() replication.Lag {
	if s.settings.Primary {
		return nil
	}
	return func() replication.Lag {
		if !s.up.Load() || s.follower == nil {
			return replication.Lag{}
		}
		return s.follower.Lag()
	}
}

func (s *instance) following() *wire.Replication {
	if !s.up.Load() || s.follower == nil {
		return &wire.Replication{State: "off", Reason: "no replication.token is set"}
	}
	st := s.follower.Status()
	return &wire.Replication{State: st.State, Code: st.Code, Reason: st.Reason, Lag: st.Lag}
}

// cluster is what this server knows of both sides.
func (s *instance) cluster(ctx context.Context) (wire.Cluster, error) {
	c := wire.Cluster{Name: s.settings.PrimaryClusterName, Server: s.id, Role: s.role(), Epoch: s.epoch, Time: time.Now().UTC()}
	if !s.up.Load() {
		return c, fault.New(fault.Wait, fault.Unavailable, "the server is still starting")
	}
	if !s.settings.Primary {
		epoch, err := s.store.Epoch(ctx) // grows while it follows
		if err != nil {
			return c, err
		}
		c.Epoch = max(c.Epoch, epoch)
	}
	c.Members = s.sideMembers()
	owners := c.Members
	if s.follower != nil {
		st := s.follower.Status()
		c.Following, owners = &st, nil
		if st.Primary != nil {
			owners = st.Primary.Members
		}
	}
	owned := s.owned()
	for n := range s.settings.Partitions {
		h, err := s.store.Head(ctx, n)
		if err != nil {
			return c, err
		}
		c.Partitions = append(c.Partitions, wire.ClusterPartition{Partition: n, Seq: h.Seq, Chain: h.Chain, Relayed: h.Relayed, Owned: slices.Contains(owned, n), Owner: ownerOf(owners, n)})
	}
	asides, err := s.store.Asides(ctx)
	if err != nil {
		return c, err
	}
	for _, a := range asides {
		c.SetAside += a.Last - a.First + 1
	}
	if s.follower == nil && s.source != nil {
		c.Secondaries, c.Authority = s.secondaries(), s.authority()
	}
	return c, nil
}
