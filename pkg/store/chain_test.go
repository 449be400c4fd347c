package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/store"
)

func TestLinkIsOfAllOfAnEntry(t *testing.T) {
	e := store.Entry{Partition: 1, Seq: 2, Environment: "a", Type: "t", Time: time.Unix(1, 2), Epoch: 3, Operation: "o", Causation: "c",
		TraceParent: "p", Data: json.RawMessage(`{}`), Chain: "its own does not count"}
	const before = "0123"
	link := store.Link(before, e)
	require.Len(t, link, 64)
	same := e
	same.Chain, same.Time = "", e.Time.UTC()
	require.Equal(t, link, store.Link(before, same))
	for name, change := range map[string]func(*store.Entry){
		"partition":   func(e *store.Entry) { e.Partition = 7 },
		"seq":         func(e *store.Entry) { e.Seq = 7 },
		"environment": func(e *store.Entry) { e.Environment = "at"; e.Type = "" },
		"type":        func(e *store.Entry) { e.Type = "x" },
		"time":        func(e *store.Entry) { e.Time = e.Time.Add(1) },
		"no time":     func(e *store.Entry) { e.Time = time.Time{} },
		"epoch":       func(e *store.Entry) { e.Epoch++ },
		"operation":   func(e *store.Entry) { e.Operation = "" },
		"causation":   func(e *store.Entry) { e.Causation = "x" },
		"traceparent": func(e *store.Entry) { e.TraceParent = "" },
		"data":        func(e *store.Entry) { e.Data = json.RawMessage(`{ }`) },
	} {
		other := e
		change(&other)
		require.NotEqual(t, link, store.Link(before, other), name)
	}
	require.NotEqual(t, link, store.Link("", e))
	require.Equal(t, e.Chain, store.Mark(e))
	require.NotEqual(t, store.Mark(same), store.Link("", same), "what has no chain is marked apart")
}
