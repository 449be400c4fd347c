package consulkv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/test/servers"
)

// addressVariable tells the suite's child which Consul its parent uses.
const addressVariable = "CONSULKV_TEST_ADDRESS"

func TestSuite(t *testing.T) {
	address := os.Getenv(addressVariable)
	if address == "" {
		address = servers.SharedConsul(t).Address()
		t.Setenv(addressVariable, address)
	}
	executortest.Run(t, executortest.Suite{
		New: func(t *testing.T, _ string) executor.Executor {
			e := New(Options{Address: address, HTTPClient: &http.Client{Transport: gated{&http.Transport{DisableKeepAlives: true}}}})
			t.Cleanup(e.Close)
			return apart{e}
		},
		Plain: json.RawMessage(`{"prefix":"PREFIX","keys":{"host":"db.example.test","port":5432,"nested":{"a":[1,true,null]}},
			"format":null,"datacenter":null}`),
		WithSecret: json.RawMessage(`{"prefix":"PREFIX","keys":{"password":"` + executortest.Secret + `","uri":{"password":"` +
			executortest.Secret + `"},"` + executortest.Secret + `":1},"format":null,"datacenter":null}`),
		Slow:    slow,
		Changed: func(lines []string) bool { return strings.Contains(strings.Join(lines, "\n"), "wrote") },
		Other:   json.RawMessage(`{"prefix":"PREFIX","keys":{"host":"db.example.test","port":5433},"format":null,"datacenter":null}`),
		Partial: &executortest.Partial{
			Inputs:  json.RawMessage(`{"prefix":"PREFIX","keys":{"host":"db.example.test","port":5432,"nested":{"a":[1,null,null]}}}`),
			Unknown: map[string][]string{"keys.nested.a[1]": {"sample.terraform.network"}},
		},
		Adopt: func(t *testing.T, r executor.Request) json.RawMessage {
			others := client(t, address, "").KV()
			b, err := decode(apart{}.request(r))
			require.NoError(t, err)
			want, err := b.render(r)
			require.NoError(t, err)
			for key, value := range want {
				_, err := others.Put(&api.KVPair{Key: key, Value: value}, nil)
				require.NoError(t, err)
			}
			return json.RawMessage("true")
		},
		Tamper: func(t *testing.T, r executor.Request) { tamper(t, client(t, address, "").KV(), apart{}.request(r)) },
	})
}

// tamper changes a value, removes a key and takes another one over.
func tamper(t *testing.T, others *api.KV, r executor.Request) {
	t.Helper()
	b, err := decode(r)
	require.NoError(t, err)
	pairs, _, err := others.List(b.place().folder(), nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(pairs), 3)
	pairs[0].Value = []byte("changed behind its back")
	_, err = others.Put(pairs[0], nil)
	require.NoError(t, err)
	_, err = others.Delete(pairs[1].Key, nil)
	require.NoError(t, err)
	_, err = others.Put(&api.KVPair{Key: pairs[2].Key, Value: []byte("without flags")}, nil)
	require.NoError(t, err)
}

// slow are more keys than fit into one transaction; the second one waits for the gate.
func slow(gate string) json.RawMessage {
	keys := many(100, "value")
	keys[gateKey] = gate
	text, _ := json.Marshal(map[string]any{"prefix": "PREFIX", "keys": keys})
	return text
}

const gateKey = "gate"

// apart gives each environment and step of the suite, which knows only one set of inputs, keys of its own.
type apart struct{ *Executor }

func (a apart) request(r executor.Request) executor.Request {
	sum := sha256.Sum256([]byte(r.Environment + strings.TrimSuffix(r.Step, "-too"))) // the suite's two that want the same
	r.Inputs = bytes.ReplaceAll(r.Inputs, []byte("PREFIX"), []byte("suite/"+hex.EncodeToString(sum[:8])))
	return r
}

func (a apart) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	r = a.request(r)
	if b, err := decode(r); err == nil {
		keys, _ := b.keys()
		var gate string
		if json.Unmarshal(keys[gateKey], &gate) == nil {
			ctx = context.WithValue(ctx, passageKey{}, &passage{gate: gate, log: r.Log})
		}
	}
	return a.Executor.Apply(ctx, r)
}

func (a apart) Adopt(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	return a.Executor.Adopt(ctx, a.request(r))
}

func (a apart) Destroy(ctx context.Context, r executor.Request) error {
	return a.Executor.Destroy(ctx, a.request(r))
}

func (a apart) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	return a.Executor.Plan(ctx, a.request(r), verb)
}

func (a apart) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	return a.Executor.Observe(ctx, a.request(r))
}

// passage of one apply through its gate.
type passage struct {
	gate         string
	log          func(stream, line string)
	transactions int
}

type passageKey struct{}

// gated holds the second transaction of an apply back until its gate is there.
type gated struct{ http.RoundTripper }

func (g gated) RoundTrip(r *http.Request) (*http.Response, error) {
	if p, ok := r.Context().Value(passageKey{}).(*passage); ok && r.URL.Path == "/v1/txn" {
		if p.transactions++; p.transactions == 2 {
			p.log("out", executortest.Underway)
			if err := p.wait(r.Context()); err != nil {
				return nil, err
			}
		}
	}
	return g.RoundTripper.RoundTrip(r)
}

func (p *passage) wait(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(p.gate); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestTheSlowApplyIsInTheMiddle: what the suite interrupts has written a part.
func TestTheSlowApplyIsInTheMiddle(t *testing.T) {
	f := newFixture(t, Options{})
	f.set(t, many(100, "value"))
	var between int
	f.before = func(n int, _ *http.Request) {
		if n == 2 {
			between = len(f.there(t))
		}
	}
	f.apply(t)
	require.Equal(t, maxOperations, between)
	require.Len(t, f.there(t), 100)
}
