package authority

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var zero = time.Unix(1_700_000_000, 0)

func at(seconds int) time.Time { return zero.Add(time.Duration(seconds) * time.Second) }

func TestALeaseCountsFromWhatASecondaryHasHeard(t *testing.T) {
	l := NewLease(20*time.Second, "east")
	_, _, err := l.Left(at(0))
	require.True(t, fault.Is(err, fault.AuthorityLost), "one that begins anew has no authority before its secondary is heard")
	l.Heard("east", at(0))
	left, always, err := l.Left(at(5))
	require.NoError(t, err)
	require.False(t, always)
	require.Equal(t, 15*time.Second, left)
	l.Heard("east", at(-3))
	_, _, err = l.Left(at(19))
	require.NoError(t, err, "an older word takes nothing back")
	_, _, err = l.Left(at(20))
	require.ErrorContains(t, err, "east")
}

func TestHowManyAreAsked(t *testing.T) {
	_, always, _ := NewLease(20 * time.Second).Left(at(0))
	require.True(t, always, "a cluster that never had a secondary asks nobody")
	_, always, _ = NewLease(0, "east").Left(at(0))
	require.True(t, always, "configured to act without asking")
	for members, need := range map[int]int{1: 1, 2: 1, 3: 2, 4: 2, 5: 3} {
		l := NewLease(time.Minute)
		for i := range members {
			l.Ask(append(l.Members(), fmt.Sprint(i))...)
		}
		for i := range need {
			_, _, err := l.Left(at(1))
			require.Error(t, err, "%d of %d", i, members)
			l.Heard(fmt.Sprint(i), at(0))
		}
		_, _, err := l.Left(at(1))
		require.NoError(t, err, "%d of %d", need, members)
	}
	for members := 1; members < 9; members++ {
		require.Greater(t, Agree(members)+Quorum(members), members, "of %d, some of those that agree have what was waited for, and too few are left for a lease", members)
		require.LessOrEqual(t, Agree(members), members)
	}
	l := NewLease(time.Minute, "gone")
	l.Ask()
	l.Forget("gone")
	_, always, _ = l.Left(at(0))
	require.True(t, always)
}

// However long words are under way, and whichever are lost: when a secondary may let steps run, the primary may not.
func TestNeverBoth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lease, margin := 20*time.Second, 5*time.Second
		skew := time.Duration(rapid.IntRange(-3600, 3600).Draw(t, "skew")) * time.Second // of the secondary's clock
		l, p := NewLease(lease, "east"), NewPromise(lease, margin)
		now := zero
		for range rapid.IntRange(0, 30).Draw(t, "words") {
			beat := now // said by the primary
			now = now.Add(time.Duration(rapid.IntRange(0, 15000).Draw(t, "there")) * time.Millisecond)
			if rapid.IntRange(0, 3).Draw(t, "lost") == 0 {
				continue
			}
			p.Told(now.Add(skew))
			now = now.Add(time.Duration(rapid.IntRange(0, 15000).Draw(t, "back")) * time.Millisecond)
			if rapid.IntRange(0, 3).Draw(t, "lost again") > 0 {
				l.Heard("east", beat)
			}
		}
		safe := p.Safe(zero.Add(skew)).Add(-skew)
		_, _, err := l.Left(safe.Add(-margin))
		require.Error(t, err, "the primary acts until %s, and the secondary from %s", l, safe)
	})
}

// shared is what several datacentres hold; those that are cut off do not answer.
type shared struct {
	mu  sync.Mutex
	all map[string]struct {
		value []byte
		index uint64
	}
	cut map[string]bool
}

func newShared() *shared {
	return &shared{all: map[string]struct {
		value []byte
		index uint64
	}{}, cut: map[string]bool{}}
}

func (s *shared) Get(_ context.Context, place string) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut[place] {
		return nil, 0, errors.New("cut off")
	}
	return s.all[place].value, s.all[place].index, nil
}

func (s *shared) Swap(_ context.Context, place string, value []byte, index uint64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.all[place]
	if k.index != index {
		return false, nil
	}
	k.value, k.index = value, index+1
	s.all[place] = k
	return true, nil
}

func TestOfManyThatClaimAnEpochOneGetsIt(t *testing.T) {
	places := []string{"c", "a", "b"}
	for round := range 50 {
		keys := newShared()
		won := make(chan string, 8)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if Write(t.Context(), keys, places, Claim{Epoch: 2, Side: fmt.Sprint(i), By: "s", At: zero}, false) == nil {
					won <- fmt.Sprint(i)
				}
			})
		}
		all.Wait()
		close(won)
		require.Len(t, won, 1, "round %d", round)
		highest, silent := Read(t.Context(), keys, places)
		require.Equal(t, <-won, highest.Side)
		require.Empty(t, silent)
	}
}

// TestAPlaceThatDoesNotAnswerHidesNoOther: it would take all the time that there is.
func TestAPlaceThatDoesNotAnswerHidesNoOther(t *testing.T) {
	keys := newShared()
	require.NoError(t, Write(t.Context(), keys, []string{"b"}, Claim{Epoch: 2, Side: "b"}, false))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	highest, silent := Read(ctx, hanging{keys, "a"}, []string{"a", "b"})
	require.Equal(t, uint64(2), highest.Epoch)
	require.Equal(t, []string{"a"}, silent)
}

// hanging is shared with a place that says nothing before the end.
type hanging struct {
	*shared
	place string
}

func (h hanging) Get(ctx context.Context, place string) ([]byte, uint64, error) {
	if place == h.place {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	return h.shared.Get(ctx, place)
}

func TestAClaimNeedsAMajority(t *testing.T) {
	keys := newShared()
	require.NoError(t, Write(t.Context(), keys, []string{"a", "b"}, Claim{Epoch: 1, Side: "a"}, false))
	keys.cut["a"] = true
	err := Write(t.Context(), keys, []string{"a", "b"}, Claim{Epoch: 2, Side: "b"}, false)
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.NoError(t, Write(t.Context(), keys, []string{"a", "b"}, Claim{Epoch: 2, Side: "b"}, true), "somebody says so")
	keys.cut["a"] = false
	highest, _ := Read(t.Context(), keys, []string{"a", "b"})
	require.Equal(t, uint64(2), highest.Epoch, "the old side sees it as soon as it sees the other")
	require.True(t, fault.Is(Write(t.Context(), keys, []string{"a", "b"}, Claim{Epoch: 2, Side: "a"}, true), Raced))
}
