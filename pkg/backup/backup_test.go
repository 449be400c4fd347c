package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func export(t testing.TB, s store.Store) ([]byte, backup.Summary) {
	t.Helper()
	var file bytes.Buffer
	e := backup.Export{Cluster: "test", Partitions: partitions, Logs: true, Now: time.Unix(1_700_000_000, 0).UTC()}
	summary, err := e.Write(t.Context(), s, &file)
	require.NoError(t, err)
	return file.Bytes(), summary
}

func load(ctx context.Context, file []byte, s store.Store) (backup.Summary, error) {
	return backup.Import{Partitions: partitions}.Read(ctx, bytes.NewReader(file), s)
}

// lived is a store with a past.
func lived(t testing.TB) *stage {
	t.Helper()
	st := newStage(t, fresh(t))
	st.live()
	return st
}

func TestIntoAnotherStore(t *testing.T) {
	st := lived(t)
	file, written := export(t, st.store)
	require.EqualValues(t, 4, written.Epoch)
	require.EqualValues(t, 4, written.States, "three of n0 and one of n3: n1 and n2 are destroyed, and n2 made again")
	require.EqualValues(t, 4, written.Templates)
	require.EqualValues(t, 2, written.LogLines)
	require.Zero(t, written.Missing)

	to := fresh(t)
	read, err := load(t.Context(), file, to)
	require.NoError(t, err)
	require.Equal(t, written.Counts, read.Counts)
	require.Equal(t, written.SHA256, read.SHA256)
	require.Equal(t, read.Entries, read.Written)
	samePicture(t, st.store, to)

	again, err := load(t.Context(), file, to)
	require.NoError(t, err, "an import may be repeated")
	require.Zero(t, again.Written)
	samePicture(t, st.store, to)
	back, _ := export(t, to)
	_, err = load(t.Context(), back, st.store)
	require.NoError(t, err, "and there again")
}

func TestVerify(t *testing.T) {
	st := lived(t)
	file, written := export(t, st.store)
	summary, err := backup.Verify(t.Context(), bytes.NewReader(file), nil, nil)
	require.NoError(t, err)
	require.Equal(t, written, summary)
	_, err = backup.Verify(t.Context(), bytes.NewReader(file), st.store, nil)
	require.NoError(t, err)
	_, err = backup.Verify(t.Context(), bytes.NewReader(file), fresh(t), nil)
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)

	other := newStage(t, fresh(t))
	other.now = other.now.Add(time.Hour)
	other.live()
	for _, s := range []error{second(backup.Verify(t.Context(), bytes.NewReader(file), other.store, nil)), second(load(t.Context(), file, other.store))} {
		require.True(t, fault.Is(s, fault.Conflict), "%v", s)
		require.ErrorContains(t, s, "another history")
	}
	st.create("n5")
	_, err = backup.Verify(t.Context(), bytes.NewReader(file), st.store, nil)
	require.NoError(t, err, "the store may have gone on")
	_, err = load(t.Context(), file, st.store)
	require.True(t, fault.Is(err, fault.Conflict), "a store that has gone on is not imported into: %v", err)
}

func second[A any](_ A, err error) error { return err }

func TestOtherNumberOfPartitions(t *testing.T) {
	st := lived(t)
	file, _ := export(t, st.store)
	to := fresh(t)
	_, err := backup.Import{Partitions: 7}.Read(t.Context(), bytes.NewReader(file), to)
	require.ErrorContains(t, err, "the file has 3 partitions")
	_, err = backup.Export{Partitions: 1}.Write(t.Context(), st.store, io.Discard)
	require.ErrorContains(t, err, "the setting partitions is 1")
	empty(t, to)
}

func empty(t testing.TB, s store.Store) {
	t.Helper()
	for p := range partitions {
		head, err := s.Head(t.Context(), p)
		require.NoError(t, err)
		require.Zero(t, head.Seq)
	}
	found, _, err := s.Environments(t.Context(), store.Filter{})
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestCutOff(t *testing.T) {
	st := lived(t)
	file, _ := export(t, st.store)
	to := fresh(t)
	for n := 0; n < len(file); n += 1 + rand.IntN(1+len(file)/150) {
		_, err := load(t.Context(), file[:n], to)
		require.True(t, fault.Is(err, backup.Damaged), "cut off after %d of %d bytes: %v", n, len(file), err)
	}
	_, err := load(t.Context(), file[:len(file)-1], to)
	require.True(t, fault.Is(err, backup.Damaged), "%v", err)
	_, err = load(t.Context(), append(bytes.Clone(file), 'x'), to)
	require.True(t, fault.Is(err, backup.Damaged), "something behind it: %v", err)
	empty(t, to)
}

func TestAltered(t *testing.T) {
	st := lived(t)
	file, _ := export(t, st.store)
	plain := unpacked(t, file)
	to := fresh(t)
	for range 100 {
		altered := bytes.Clone(file)
		at, bit := rand.IntN(len(file)), byte(1)<<rand.IntN(8)
		altered[at] ^= bit
		_, err := backup.Verify(t.Context(), bytes.NewReader(altered), nil, nil)
		if err == nil {
			require.Equal(t, plain, unpacked(t, altered), "bit %d of byte %d", bit, at) // a bit that pads the packed data
			continue
		}
		require.True(t, fault.Is(err, backup.Damaged), "bit %d of byte %d: %v", bit, at, err)
		_, err = load(t.Context(), altered, to)
		require.True(t, fault.Is(err, backup.Damaged), "bit %d of byte %d: %v", bit, at, err)
	}
	empty(t, to)
}

// TestAlteredWithin alters what is packed, so that the packing has nothing to say.
func TestAlteredWithin(t *testing.T) {
	st := lived(t)
	file, _ := export(t, st.store)
	lines := strings.SplitAfter(unpacked(t, file), "\n")
	lines = lines[:len(lines)-1]
	refused := func(what string, changed []string) {
		t.Helper()
		_, err := backup.Verify(t.Context(), bytes.NewReader(packed(t, strings.Join(changed, ""))), nil, nil)
		require.True(t, fault.Is(err, backup.Damaged), "%s: %v", what, err)
		require.Regexp(t, "line |lacks", err.Error(), what)
	}
	for i := range lines {
		refused(fmt.Sprintf("without line %d", i+1), append(append([]string{}, lines[:i]...), lines[i+1:]...))
		refused(fmt.Sprintf("line %d twice", i+1), append(append(append([]string{}, lines[:i+1]...), lines[i]), lines[i+1:]...))
		changed := append([]string{}, lines...)
		at := rand.IntN(len(lines[i]) - 1)
		changed[i] = lines[i][:at] + string(lines[i][at]^1) + lines[i][at+1:]
		_, err := backup.Verify(t.Context(), bytes.NewReader(packed(t, strings.Join(changed, ""))), nil, nil)
		require.True(t, fault.Is(err, backup.Damaged), "line %d at %d: %v", i+1, at, err)
	}
}

func TestImportGoesOn(t *testing.T) {
	st := lived(t)
	file, _ := export(t, st.store)
	for _, after := range []int{0, 1, 2, 4, 5, 7, 9} {
		path := filepath.Join(t.TempDir(), "store.db")
		ctx, cancel := context.WithCancel(t.Context())
		to := &failing{Store: open(t, path), after: after, cancel: cancel}
		_, err := load(ctx, file, to)
		require.ErrorIs(t, err, context.Canceled, "after %d batches", after)
		cancel()
		_, err = load(t.Context(), file, to.Store)
		require.NoError(t, err)
		samePicture(t, st.store, to.Store)
	}
}

// failing is cancelled once some batches were written.
type failing struct {
	store.Store
	after  int
	cancel func()
}

func (f *failing) Append(ctx context.Context, b store.Batch) error {
	if f.after == 0 {
		f.cancel()
	}
	f.after--
	return errors.Join(f.Store.Append(ctx, b), ctx.Err())
}

// TestExportWhileOthersWrite: whatever moment it takes, it is a moment, and states are those of it.
func TestExportWhileOthersWrite(t *testing.T) {
	st := newStage(t, fresh(t))
	st.create("n0")
	var writer sync.WaitGroup
	begun, stop := make(chan struct{}), make(chan struct{})
	writer.Go(func() {
		for i := 1; ; i++ {
			name := fmt.Sprintf("w%d-0", i)
			st.create(name)
			for _, step := range []string{"a", "b", "c"} {
				st.finish(name, step)
			}
			if i == 5 {
				close(begun)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	<-begun
	var last uint64
	for range 4 {
		file, summary := export(t, st.store)
		require.Zero(t, summary.Missing)
		require.GreaterOrEqual(t, summary.Entries, last)
		last = summary.Entries
		to := fresh(t)
		_, err := load(t.Context(), file, to)
		require.NoError(t, err)
		_, err = backup.Verify(t.Context(), bytes.NewReader(file), st.store, nil)
		require.NoError(t, err)
	}
	close(stop)
	writer.Wait()
}

// moving saves another state whenever one is read.
type moving struct {
	store.Store
	save func()
}

func (m moving) State(ctx context.Context, name, step string) (store.StepState, error) {
	m.save()
	return m.Store.State(ctx, name, step)
}

func TestStatesThatMove(t *testing.T) {
	st := newStage(t, fresh(t))
	st.create("n0")
	st.accept("n0", "a")
	st.save("n0", "a", 1)
	number := 1
	_, summary := export(t, moving{st.store, func() {
		if number < 4 {
			number++
			st.save("n0", "a", number)
		}
	}})
	require.EqualValues(t, 1, summary.States)
	require.Zero(t, summary.Missing)
	require.Equal(t, 4, number)

	endless := moving{st.store, func() {
		number++
		st.save("n0", "a", number)
	}}
	_, err := backup.Export{Partitions: partitions}.Write(t.Context(), endless, io.Discard)
	require.True(t, fault.Is(err, fault.Busy), "%v", err)
}

func TestLostState(t *testing.T) {
	st := lived(t)
	require.NoError(t, st.store.Append(t.Context(), store.Batch{Partition: 0, Epoch: 4, States: []store.StepState{{Environment: "n0", Step: "b"}}}))
	file, summary := export(t, st.store)
	require.EqualValues(t, 1, summary.Missing)
	to := fresh(t)
	_, err := load(t.Context(), file, to)
	require.NoError(t, err)
	samePicture(t, st.store, to)
}
