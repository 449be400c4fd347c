package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// restarting can't be reached for some requests, and then is not ready for as many.
type restarting struct {
	next       http.RoundTripper
	away, asks int
}

func (r *restarting) RoundTrip(q *http.Request) (*http.Response, error) {
	r.asks++
	switch {
	case r.asks <= r.away:
		return nil, errors.New("connection refused")
	case r.asks <= 2*r.away:
		w := httptest.NewRecorder()
		w.WriteHeader(http.StatusServiceUnavailable)
		answer := w.Result()
		answer.Request = q
		return answer, nil
	}
	return r.next.RoundTrip(q)
}

func TestWhoIsPatientWaitsForAServerThatRestarts(t *testing.T) {
	f := start(t)
	server := &restarting{next: f.api.http.Transport, away: 2}
	a := NewAPI(f.api.base, &http.Client{Transport: server})
	_, err := a.Environment(t.Context(), "notes")
	require.True(t, fault.Is(err, fault.Unavailable), "who is not is told at once: %v", err)
	require.Equal(t, 1, server.asks)
	r, err := a.Patient(time.Minute).Environment(t.Context(), "notes")
	require.NoError(t, err)
	require.Equal(t, "notes", r.Name)
	require.Equal(t, 5, server.asks)

	_, err = a.Patient(time.Minute).Environment(t.Context(), "nobody")
	require.True(t, fault.Is(err, fault.NotFound), "what is known for certain is not asked again: %v", err)
	require.Equal(t, 6, server.asks)

	server.asks = 0
	over := errors.New("over")
	follow := func(a *API) error {
		return a.FollowJournal(t.Context(), "notes", 0, func(store.Entry) error { return over })
	}
	require.True(t, fault.Is(follow(a), fault.Unavailable))
	require.ErrorIs(t, follow(a.Patient(time.Minute)), over, "a stream is waited for, too")

	server.away = 1 << 20
	_, err = a.Patient(50*time.Millisecond).Environment(t.Context(), "notes")
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "it is the patience that has ended, and no time that the caller set")
}
