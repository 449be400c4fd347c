package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// startThree starts a primary and two secondaries that know each other, and makes a token.
func startThree(t *testing.T) (one, two, three *side, token string) {
	t.Helper()
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH"),
		"VIVARIUM_CLUSTER_LEASE": "6s", "VIVARIUM_CLUSTER_MARGIN": "500ms"}
	templates, ports := catalogue(t), []string{freePort(t), freePort(t), freePort(t)}
	at := func(n int) string { return "http://127.0.0.1:" + ports[n] }
	one = startSide(t, variables, templates, ports[0], "--primary")
	two = startSide(t, variables, templates, ports[1], "--follow", at(0)+","+at(2))
	three = startSide(t, variables, templates, ports[2], "--follow", at(0)+","+at(1))
	eventually(t, func() bool {
		known := clusterOf(t, one.running).Secondaries
		return len(known) == 2 && known[0].Lag.Known && known[1].Lag.Known && knows(two, 2) && knows(three, 2)
	})
	one.do(t, "env", "create", "first", "--template", "hello", "--wait")
	eventually(t, func() bool { return two.is(wire.Secondary, 1) && three.is(wire.Secondary, 1) })
	return one, two, three, strings.TrimSpace(one.do(t, "cluster", "token"))
}

// knows tells whether a secondary was told of so many of them, with their addresses.
func knows(s *side, secondaries int) bool {
	text, _ := os.ReadFile(s.dir + "/" + secondariesFile)
	return strings.Count(string(text), `"api":"http`) == secondaries
}

// attempt is what came of telling a side to take over.
type attempt struct {
	side *side
	code int
	text string
}

// promotedAtOnce tells both to take over by force at the same moment; the one that did comes first.
func promotedAtOnce(two, three *side, token string) (won, lost attempt) {
	results := make(chan attempt, 2)
	for _, s := range []*side{two, three} {
		go func() {
			code, text := s.try("cluster", "promote", "--token", token, "--force")
			results <- attempt{s, code, text}
		}()
	}
	if won, lost = <-results, <-results; won.code != exitOK {
		won, lost = lost, won
	}
	return won, lost
}

func TestOfTwoThatTakeOverAtOnceOneWins(t *testing.T) {
	one, two, three, token := startThree(t)
	one.end(t)
	winner, loser := promotedAtOnce(two, three, token)
	require.Equal(t, exitOK, winner.code, "%s\n%s", winner.text, loser.text)
	require.Equal(t, exitFailed, loser.code, "%s\n%s", winner.text, loser.text)
	name := "this-server-is-unknown"
	for _, s := range []*side{two, three} {
		if s == winner.side {
			name = memberOf(s)
		}
	}
	require.Contains(t, loser.text, name, "it says who won")
	eventually(t, func() bool { return winner.side.is(wire.Primary, 2) })
	require.Contains(t, winner.side.do(t, "env", "create", "second", "--template", "hello", "--wait"), "Hello, second!")
	eventually(t, func() bool { return loser.side.is(wire.Secondary, 2) })
}

// memberOf is what the other secondaries call a side.
func memberOf(s *side) string {
	i := &instance{dir: s.dir}
	i.settings.Consul.Advertise = "127.0.0.1:1"
	return i.name().Server
}

func TestATakeoverNeedsTheOtherSecondaries(t *testing.T) {
	one, two, three, token := startThree(t)
	require.NotEqual(t, memberOf(two), memberOf(three), "on one host, each has a name of its own")
	three.end(t)
	one.end(t)
	code, text := two.try("cluster", "promote", "--token", token, "--force")
	require.Equal(t, exitFailed, code, text)
	require.Contains(t, text, "2 of 2 secondaries have to agree, and 1 do")
	require.Contains(t, text, memberOf(three))
	two.do(t, "cluster", "promote", "--token", token, "--force", "--alone")
	eventually(t, func() bool { return two.is(wire.Primary, 2) })
}

func TestAVoteIsGivenOnce(t *testing.T) {
	s := &instance{dir: t.TempDir()}
	s.settings.Consul.Advertise = "127.0.0.1:1"
	ask := func(epoch uint64, to string, entries uint64, release bool) string {
		winner, err := s.give(standBy{Epoch: epoch, To: to, Entries: entries, Release: release})
		require.NoError(t, err)
		return winner
	}
	require.Equal(t, "a", ask(2, "a", 1, false))
	require.Equal(t, "a", ask(2, "b", 9, false), "who has it keeps it")
	require.Equal(t, "a", ask(2, "b", 9, true), "nobody gives back what is another's")
	again := &instance{dir: s.dir}
	require.NoError(t, again.openVote())
	require.Equal(t, "a", again.votes.given.To, "over restarts")
	require.ErrorContains(t, s.stand(standBy{Epoch: 2, To: s.voter()}, false), "a takes over under epoch 2")
	require.Empty(t, ask(2, "a", 1, true))

	require.NoError(t, s.stand(standBy{Epoch: 2, To: s.voter(), Entries: 5}, false))
	require.Equal(t, s.voter(), ask(2, "b", 4, false), "with less")
	require.Equal(t, "b", ask(2, "b", 6, false), "with more")
	require.ErrorContains(t, s.goOn(2), "b takes over")
	require.Equal(t, "c", ask(3, "c", 0, false), "a later takeover")
	require.NoError(t, s.stand(standBy{Epoch: 4, To: s.voter()}, false))
	require.NoError(t, s.goOn(4))
	require.Equal(t, s.voter(), ask(4, "b", 100, false), "it has gone on")
	require.Equal(t, uint64(7), ahead([]uint64{3, 9, 2}, []uint64{1, 4, 8}))
}

// TestNobodyAgreesToWhoHasLess: of two that are told to take over at once, the one with more must not have given its promise to the other.
func TestNobodyAgreesToWhoHasLess(t *testing.T) {
	s := &instance{dir: t.TempDir(), promise: authority.NewPromise(0, 0), follower: &replication.Follower{}}
	s.settings.Consul.Advertise, s.settings.Partitions = "127.0.0.1:1", 2
	s.up.Store(true)
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(s.dir, "store.db")})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	s.store = db
	require.NoError(t, journal(t.Context(), db, environment.Promoted{Epoch: 1}))
	ask := func(to string, positions ...uint64) stoodBy {
		data, err := json.Marshal(standBy{Epoch: 2, To: to, Entries: 1, Positions: positions})
		require.NoError(t, err)
		answer, err := s.standsBy(t.Context(), data)
		require.NoError(t, err)
		return answer.(stoodBy)
	}
	answer := ask("b", 0, 0)
	require.Empty(t, answer.Winner)
	require.Equal(t, []uint64{1, 0}, answer.Positions, "it is told what it lacks")
	require.NoError(t, s.stand(standBy{Epoch: 2, To: s.voter(), Entries: 1}, false), "and this side may take over")
	require.NoError(t, s.keepVote(vote{}))
	require.Equal(t, "b", ask("b", 1, 0).Winner, "as much")
	require.Equal(t, "b", ask("c", 0, 0).Winner, "it is told who takes over")
	require.NoError(t, s.keepVote(vote{}))
	require.Equal(t, "c", ask("c", 0, 1).Winner, "of two that have what the other one lacks")
	require.NoError(t, s.keepVote(vote{}))
	require.Equal(t, "old", ask("old").Winner, "of a server of before")
}

const stuck = `
template "stuck" {
  version = "1.0.0"
}
action "never" {
  pool    = "nowhere"
  command = ["true"]
}
`

// read is what the side's API answers.
func (s *side) read(t *testing.T, path string, into any) {
	t.Helper()
	found, err := findServer(s.dir)
	require.NoError(t, err)
	r, err := http.Get(found.API + wire.Prefix + "/" + path)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Body.Close()) }()
	require.NoError(t, json.NewDecoder(r.Body).Decode(into))
}

// TestASecondaryThatIsGoneIsGivenUp: a primary stops without its only secondary, and goes on once a person says that it is no more.
func TestASecondaryThatIsGoneIsGivenUp(t *testing.T) {
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH"), "VIVARIUM_CLUSTER_LEASE": "6s"}
	templates, ports := catalogue(t), []string{freePort(t), freePort(t)}
	require.NoError(t, os.Mkdir(filepath.Join(templates, "stuck"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(templates, "stuck", "template.hcl"), []byte(stuck), 0o600))
	one := startSide(t, variables, templates, ports[0], "--primary")
	two := startSide(t, variables, templates, ports[1], "--follow", "http://127.0.0.1:"+ports[0])
	eventually(t, func() bool { return two.is(wire.Secondary, 1) && knows(two, 1) })
	code, text := two.try("cluster", "forget", memberOf(two))
	require.Equal(t, exitFailed, code)
	require.Contains(t, text, "is a secondary")
	require.Contains(t, one.do(t, "cluster", "status"), "Acts     while 1 of 1 secondaries hear it")
	one.do(t, "env", "create", "stuck", "--template", "stuck")
	two.end(t)
	eventually(t, func() bool { return strings.Contains(one.log.String(), "this side may not act any more") })
	forget := "vivarium cluster forget " + strings.TrimPrefix(memberOf(two), "secondary/")
	require.Contains(t, one.do(t, "cluster", "status"), forget)
	require.Contains(t, one.do(t, "env", "show", "stuck"), forget, "whoever looks why it waits is told")
	var info wire.Info
	one.read(t, "self/info", &info)
	require.False(t, info.Authority.Acts)
	var health wire.Health
	one.read(t, "self/liveliness?type=detailed", &health)
	require.Contains(t, health.Checks[slices.IndexFunc(health.Checks, func(c wire.CheckResult) bool { return c.Name == "authority" })].Error, forget)
	code, text = one.try("cluster", "forget", "nobody")
	require.Equal(t, exitFailed, code)
	require.Contains(t, text, memberOf(two))
	require.Contains(t, one.do(t, "cluster", "forget", memberOf(two)), "it asks 0 other")
	require.Contains(t, one.do(t, "env", "create", "alone", "--template", "hello", "--wait"), "Hello, alone!")
}
