package resilience

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script answers call after call, and the last answer for ever.
func script(made *int, answers ...error) func(context.Context) error {
	return func(context.Context) error {
		*made++
		return answers[min(*made, len(answers))-1]
	}
}

func fail(d fault.Disposition) error { return fault.New(d, "test", "as scripted") }

func TestDoFollowsTheDisposition(t *testing.T) {
	for name, c := range map[string]struct {
		attempts int
		answers  []error
		calls    int
		fails    bool
	}{
		"success":                  {3, []error{nil}, 1, false},
		"retry until it succeeds":  {3, []error{fail(fault.Retry), fail(fault.Retry), nil}, 3, false},
		"attempts are bounded":     {3, []error{fail(fault.Retry)}, 3, true},
		"a single attempt":         {1, []error{fail(fault.Retry)}, 1, true},
		"give up":                  {3, []error{fail(fault.GiveUp)}, 1, true},
		"reject":                   {3, []error{fail(fault.Retry), fail(fault.Reject)}, 2, true},
		"waiting is not counted":   {2, []error{fail(fault.Wait), fail(fault.Wait), fail(fault.Wait), fail(fault.Retry), nil}, 5, false},
		"an unknown error retries": {2, []error{errors.New("x"), nil}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				err := Do(t.Context(), Policy{Attempts: c.attempts}, script(&calls, c.answers...))
				require.Equal(t, c.calls, calls)
				require.Equal(t, c.fails, err != nil)
			})
		})
	}
}

func TestBackoffDoublesUpToItsBoundWithJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gaps []time.Duration
		last := time.Now()
		_ = Do(t.Context(), Policy{Attempts: 6, Backoff: time.Second, MaxBackoff: 4 * time.Second}, func(context.Context) error {
			gaps = append(gaps, time.Since(last))
			last = time.Now()
			return fail(fault.Retry)
		})
		exact := 0
		for i, want := range []time.Duration{0, 1, 2, 4, 4, 4} {
			want *= time.Second
			require.InDelta(t, want, gaps[i], float64(want)*jitter)
			if gaps[i] == want {
				exact++
			}
		}
		require.Less(t, exact, 6, "there is jitter")
	})
}

func TestDoEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		calls := 0
		err := Do(ctx, Policy{}, script(&calls, fail(fault.Wait)))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, fault.Is(err, "test"), "the last answer of the target is there too")
		made := calls
		require.True(t, fault.Is(Do(ctx, Policy{}, script(&calls, nil)), fault.Timeout))
		require.Equal(t, made, calls, "no call after the end")
	})
}

func TestDeadlineBoundsOneAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		err := Do(t.Context(), Policy{Attempts: 2, Deadline: time.Second}, func(ctx context.Context) error {
			calls++
			<-ctx.Done()
			return ctx.Err()
		})
		require.Equal(t, 2, calls)
		require.True(t, fault.Is(err, fault.Timeout), "%v", err)
	})
}

func TestBreakerOpensAndClosesAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []Change
		all := NewBreakers(BreakerPolicy{Failures: 2, CoolDown: time.Minute}, func(c Change) { changes = append(changes, c) })
		b := all.For("vault")
		require.Same(t, b, all.For("vault"))
		down := fail(fault.Retry)

		for range 2 {
			require.Equal(t, down, b.Do(func() error { return down }))
		}
		err := b.Do(func() error { t.Error("called although open"); return nil })
		require.True(t, fault.Is(err, fault.BreakerOpen))
		require.Equal(t, fault.Wait, fault.From(err).Disposition)
		require.Equal(t, map[string]State{"vault": Open}, all.States())
		require.Equal(t, Closed, all.For("consul").State(), "targets do not share a breaker")

		<-time.After(2 * time.Minute) // of the bubble's clock
		require.NoError(t, b.Do(func() error { return nil }))
		require.Equal(t, Closed, b.State())
		require.Len(t, changes, 3)
		for i, want := range [][2]State{{Closed, Open}, {Open, HalfOpen}, {HalfOpen, Closed}} {
			require.Equal(t, want, [2]State{changes[i].From, changes[i].To})
			require.Equal(t, "vault", changes[i].Target)
		}
		require.Equal(t, down, changes[0].Err)
	})
}

func TestBreakerBlamesTheTargetOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreakers(BreakerPolicy{Failures: 1}, nil).For("x")
		for _, err := range []error{fail(fault.Reject), fail(fault.GiveUp), context.Canceled} {
			require.Equal(t, err, b.Do(func() error { return err }))
			require.Equal(t, Closed, b.State())
		}
		require.Error(t, b.Do(func() error { return errors.New("no connection") }))
		require.Equal(t, Open, b.State())
		<-time.After(time.Hour) // of the bubble's clock; lets the cool-down's goroutine end
	})
}

func TestDoWaitsForAnOpenBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreakers(BreakerPolicy{Failures: 1, CoolDown: time.Minute}, nil).For("x")
		calls := 0
		err := Do(t.Context(), Policy{Attempts: 2, Breaker: b}, script(&calls, fail(fault.Retry), nil))
		require.NoError(t, err)
		require.Equal(t, 2, calls, "what the breaker held back is no attempt")
	})
}
