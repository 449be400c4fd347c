package consulkv

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// TestAChangeBetweenReadAndWriteIsSeen: the first transaction is rolled back, nothing is overwritten unseen.
func TestAChangeBetweenReadAndWriteIsSeen(t *testing.T) {
	f := newFixture(t, Options{})
	f.set(t, map[string]string{"a": "1", "b": "1"})
	f.apply(t)
	f.set(t, map[string]string{"a": "2", "b": "2"})
	f.writes.Store(0)
	var after map[string]string
	f.before = func(n int, r *http.Request) {
		switch {
		case n == 1:
			f.overwrite(t, "b", "changed meanwhile")
		case after == nil && r.URL.Path != "/v1/txn":
			after = f.there(t)
		}
	}
	f.apply(t)
	require.Equal(t, map[string]string{"a": "1", "b": "changed meanwhile"}, after, "the transaction was rolled back as a whole")
	require.Equal(t, map[string]string{"a": "2", "b": "2"}, f.there(t))
	require.EqualValues(t, 3, f.writes.Load(), "the transaction, the key that failed by itself, the transaction again")
}

func TestAForeignKeyThatComesBetweenReadAndWriteIsNotTouched(t *testing.T) {
	f := newFixture(t, Options{})
	f.set(t, map[string]string{"a": "1", "b": "1"})
	f.before = func(n int, _ *http.Request) {
		if n == 1 {
			f.put(t, "b", "theirs")
		}
	}
	_, err := f.Apply(t.Context(), f.request)
	require.Equal(t, fault.Exists, failed(t, err).Code)
	require.Contains(t, failed(t, err).Message, prefix(t)+"/b")
	require.Equal(t, map[string]string{"b": "theirs"}, f.there(t))
}

func TestAKeyChangedBeforeItsRemovalIsRemovedOnlyWhileItIsOurs(t *testing.T) {
	f := newFixture(t, Options{})
	f.set(t, map[string]string{"a": "1", "b": "1"})
	f.apply(t)
	f.writes.Store(0)
	f.before = func(n int, _ *http.Request) {
		if n == 1 {
			f.overwrite(t, "a", "changed meanwhile")
			_, err := f.others.Delete(prefix(t)+"/b", nil)
			require.NoError(t, err)
			f.put(t, "b", "theirs")
		}
	}
	require.NoError(t, f.Destroy(t.Context(), f.request))
	require.Equal(t, map[string]string{"b": "theirs"}, f.there(t))
}

func TestSomebodyWhoNeverStopsIsNamedByTheKey(t *testing.T) {
	f := newFixture(t, Options{})
	f.set(t, map[string]string{"a": "1"})
	f.apply(t)
	f.set(t, map[string]string{"a": "2"})
	f.before = func(n int, _ *http.Request) { f.overwrite(t, "a", fmt.Sprint("theirs ", n)) }
	_, err := f.Apply(t.Context(), f.request)
	e := failed(t, err)
	require.Equal(t, fault.Conflict, e.Code)
	require.Equal(t, fault.Retry, e.Disposition)
	require.Contains(t, e.Message, prefix(t)+"/a")
	require.Contains(t, f.there(t)["a"], "theirs")
}

// BenchmarkApply writes 1,000 keys that are not there.
func BenchmarkApply(b *testing.B) {
	e, request, others := benched(b)
	for b.Loop() {
		if _, err := e.Apply(b.Context(), request); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if _, err := others.DeleteTree("bench/", nil); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkApplyUnchanged finds 1,000 keys as they should be.
func BenchmarkApplyUnchanged(b *testing.B) {
	e, request, _ := benched(b)
	if _, err := e.Apply(b.Context(), request); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := e.Apply(b.Context(), request); err != nil {
			b.Fatal(err)
		}
	}
}
