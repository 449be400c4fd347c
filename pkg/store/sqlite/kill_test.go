package sqlite_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

// appendForever is the child: it prints each sequence number once Append has returned.
func appendForever(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, sqlite.Options{Path: path})
	if err != nil {
		return err
	}
	head, err := s.Head(ctx, 0)
	if err != nil {
		return err
	}
	// The one before may have been killed between an entry and its line.
	for seq := max(head.Seq, 1); ; seq++ {
		if seq > head.Seq {
			if err := s.Append(ctx, step(seq)); err != nil {
				return err
			}
		}
		line := event.Logs{TaskRef: event.TaskRef{Environment: "a", Step: "s"}, First: int(seq), Lines: []event.LogLine{{Text: "x"}}}
		if err := s.AppendLogs(ctx, line); err != nil {
			return err
		}
		if _, err := fmt.Println(seq); err != nil {
			return err
		}
	}
}

func step(seq uint64) store.Batch {
	at := time.Unix(int64(seq), 0)
	return store.Batch{
		Epoch:   1,
		Entries: []store.Entry{{Seq: seq, Environment: "a", Type: "t", Time: at, Data: json.RawMessage(strconv.FormatUint(seq, 10))}},
		Changes: environment.Changes{
			Environments: []environment.Record{{Name: "a", Revision: seq}},
			Resources: []environment.ResourceRecord{{Environment: "a", Revision: seq,
				Node: environment.Node{Address: fmt.Sprint("n", seq%50), DependsOn: []string{fmt.Sprint(seq % 7)}}}},
		},
	}
}

// TestKill: what Append returned nil for is there after SIGKILL, and nothing is there by halves.
func TestKill(t *testing.T) {
	path := string(newFile(t))
	for range 3 {
		acknowledged := killed(t, path)
		s := file(path).Open(t)
		head, err := s.Head(t.Context(), 0)
		require.NoError(t, err)
		require.GreaterOrEqual(t, head.Seq, acknowledged)
		require.LessOrEqual(t, head.Seq, acknowledged+1, "at most one was under way")

		entries, err := s.Entries(t.Context(), store.Selection{Limit: 1 << 20})
		require.NoError(t, err)
		require.Len(t, entries, int(head.Seq))
		for i, e := range entries {
			require.Equal(t, strconv.Itoa(i+1), string(e.Data))
		}
		got, err := s.Environment(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, head.Seq, got.Revision, "the projection is as far as the journal")
		logs, err := s.ReadLogs(t.Context(), store.LogSelection{Environment: "a", Limit: 1 << 20})
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(logs), int(acknowledged))
		require.NoError(t, s.Close())
	}
}

// killed runs the child until it has acknowledged some more entries, kills it, and gives the last it acknowledged.
func killed(t *testing.T, path string) (last uint64) {
	t.Helper()
	child := exec.Command(os.Args[0]) //nolint:gosec // this very program
	child.Env = append(os.Environ(), childPath+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		last, err = strconv.ParseUint(lines.Text(), 10, 64)
		require.NoError(t, err)
		if n == 100 {
			require.NoError(t, child.Process.Kill())
		}
	}
	require.Error(t, child.Wait(), "it was killed")
	require.NotZero(t, last)
	return last
}
