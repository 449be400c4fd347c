package resilience

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// opened is a breaker in a bubble whose target has failed as often as it takes.
func opened(t *testing.T, test func(*testing.T, *Breaker)) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreakers(BreakerPolicy{Failures: 2, CoolDown: time.Minute}, nil).For("vault")
		for range 2 {
			require.Error(t, b.Do(func() error { return fail(fault.Wait) }))
		}
		require.Equal(t, Open, b.State())
		test(t, b)
		<-time.After(time.Hour) // of the bubble's clock; lets the cool-down's goroutine end
	})
}

// pass lets the bubble's time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestOneCallIsLetThroughHalfOpen(t *testing.T) {
	for name, c := range map[string]struct {
		outcome error
		state   State
	}{
		"the target answers":  {nil, Closed},
		"it says no":          {fail(fault.Reject), Closed},
		"it fails again":      {fail(fault.Wait), Open},
		"nobody knows of it":  {errUnclear, HalfOpen},
		"a cancel is no news": {fault.New(fault.GiveUp, fault.Cancelled, "stop"), HalfOpen},
	} {
		t.Run(name, func(t *testing.T) {
			opened(t, func(t *testing.T, b *Breaker) {
				_, err := b.Allow()
				require.True(t, fault.Is(err, fault.BreakerOpen))
				pass(time.Minute)
				require.Equal(t, HalfOpen, b.State())
				done, err := b.Allow()
				require.NoError(t, err)
				_, err = b.Allow()
				require.True(t, fault.Is(err, fault.BreakerOpen), "one at a time")
				require.Equal(t, time.Now().Add(time.Minute), b.Status().Until)
				done(c.outcome)
				done(c.outcome)
				require.Equal(t, c.state, b.State())
				_, err = b.Allow()
				require.Equal(t, c.state == Open, err != nil)
			})
		})
	}
}

func TestACallThatTakesLongDoesNotHoldBackAllOthers(t *testing.T) {
	opened(t, func(t *testing.T, b *Breaker) {
		pass(time.Minute)
		_, err := b.Allow()
		require.NoError(t, err)
		pass(time.Minute)
		_, err = b.Allow()
		require.NoError(t, err, "another one tries")
		_, err = b.Allow()
		require.Error(t, err)
	})
}

func TestWhatWasBegunBeforeSaysNothingOfThePresent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreakers(BreakerPolicy{Failures: 1, CoolDown: time.Minute}, nil).For("vault")
		late, err := b.Allow()
		require.NoError(t, err)
		_ = b.Do(func() error { return fail(fault.Wait) })
		pass(time.Minute)
		require.Equal(t, HalfOpen, b.State())
		late(nil)
		require.Equal(t, HalfOpen, b.State(), "it may have been answered before the target went away")
	})
}

func TestAnAnswerForgetsTheFailuresBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreakers(BreakerPolicy{Failures: 2}, nil).For("vault")
		for range 10 {
			_ = b.Do(func() error { return fail(fault.Wait) })
			_ = b.Do(func() error { return nil })
		}
		require.Equal(t, Closed, b.State())
	})
}

func TestAPanicIsNoVerdictAndFreesThePlace(t *testing.T) {
	opened(t, func(t *testing.T, b *Breaker) {
		pass(time.Minute)
		require.Panics(t, func() { _ = b.Do(func() error { panic("oh no") }) })
		require.NoError(t, b.Do(func() error { return nil }))
		require.Equal(t, Closed, b.State())
	})
}

func TestStatusSaysSinceWhenAndUntilWhen(t *testing.T) {
	opened(t, func(t *testing.T, b *Breaker) {
		began := time.Now()
		_, err := b.Allow()
		require.ErrorContains(t, err, "vault has not answered since "+clock(began))
		pass(time.Minute)
		require.Error(t, b.Do(func() error { return fail(fault.Wait) }))
		s := b.Status()
		require.Equal(t, Open, s.State)
		require.Equal(t, began, s.Since, "it has not answered since then")
		require.Equal(t, time.Now().Add(time.Minute), s.Until)
		require.Equal(t, fail(fault.Wait), s.Err)
	})
}

func TestAPolicyMayJudgeForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreakers(BreakerPolicy{Failures: 1, Judge: func(error) Verdict { return Answered }}, nil).For("x")
		_ = b.Do(func() error { return fail(fault.Wait) })
		require.Equal(t, Closed, b.State())
	})
}

func TestTroubledAreThoseThatAreNotClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := NewBreakers(BreakerPolicy{Failures: 1}, nil)
		for _, target := range []string{"b", "a"} {
			_ = all.For(target).Do(func() error { return fail(fault.Wait) })
		}
		_ = all.For("c").Do(func() error { return nil })
		found := all.Troubled()
		require.Len(t, found, 2)
		require.Equal(t, []string{"a", "b"}, []string{found[0].Target, found[1].Target})
		pass(time.Hour)
	})
}

func TestTargetsThatAnswerAreNotKeptForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := NewBreakers(BreakerPolicy{Failures: 2}, nil)
		_ = all.For("troubled").Do(func() error { return fail(fault.Wait) })
		_, err := all.For("busy").Allow()
		require.NoError(t, err)
		for i := range 10 * manyBreakers {
			_ = all.For(fmt.Sprint(i)).Do(func() error { return nil })
		}
		require.LessOrEqual(t, len(all.all), manyBreakers)
		require.Contains(t, all.all, "troubled")
		require.Contains(t, all.all, "busy")
		pass(time.Hour)
	})
}
