package replication_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// Variables of a child process that follows until it is killed.
const (
	childStore  = "REPLICATION_TEST_STORE"
	childSource = "REPLICATION_TEST_SOURCE"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childStore); path != "" {
		fmt.Fprintln(os.Stderr, followForEver(path, os.Getenv(childSource)))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func followForEver(path, address string) error {
	s, err := sqlite.Open(context.Background(), sqlite.Options{Path: path})
	if err != nil {
		return err
	}
	f, err := replication.NewFollower(replication.Options{Store: s, Partitions: partitions, Find: replication.Static{address}, Token: token, Beat: beat})
	if err != nil {
		return err
	}
	if err := f.Start(context.Background()); err != nil {
		return err
	}
	select {}
}

// startChild has a process follow a source, with a store in a file.
func startChild(t *testing.T, path string, x *source) *exec.Cmd {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run", "^$")
	child.Env = append(os.Environ(), childStore+"="+path, childSource+"="+x.address())
	child.Stderr = os.Stderr
	require.NoError(t, child.Start())
	return child
}

// killWithin kills a child at a moment before d has passed: any will do.
func killWithin(t *testing.T, child *exec.Cmd, d time.Duration) {
	t.Helper()
	time.Sleep(rand.N(d))
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
}

// TestKilledAtAnyMoment: a secondary that is killed by SIGKILL again and again has in the end what the primary has.
func TestKilledAtAnyMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	t.Parallel()
	p := newSide(t, fresh(t))
	p.live(0, 20)
	x, path := serve(t, p.store), filepath.Join(t.TempDir(), "store.db")
	to := openStore(t, path)
	seen := uint64(0)
	for round := range 8 {
		child := startChild(t, path, x)
		p.live(20+round*5, 25+round*5)
		written := func() (sum uint64) {
			for n := range partitions {
				h, err := to.Head(t.Context(), n)
				require.NoError(t, err)
				sum += h.Seq
			}
			return sum
		}
		require.Eventually(t, func() bool { return written() > seen }, patience, time.Millisecond, "it does not go on")
		killWithin(t, child, 20*time.Millisecond)
		seen = written()
	}
	f := follow(t, to, x.address())
	same(t, p.store, to)
	reaches(t, f, whole)
}
