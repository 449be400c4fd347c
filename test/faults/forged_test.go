package faults

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// forgedResults lets a runner that keeps to no rule do the steps of a pool of its own, and throws what nobody should
// read at every queue that the server reads.
func forgedResults(t *testing.T, r *row) {
	ctx, cancel := context.WithTimeout(t.Context(), either(15*time.Minute, 3*time.Minute))
	defer cancel()
	c := newCluster(t, ctx, clusterOptions{servers: 1, runners: 1})
	f, err := newForger(ctx, c.broker.URL(), newChoice(t))
	require.NoError(t, err)
	for r.rounds < either(2, 1) {
		over := make(chan error, 1)
		prefix := fmt.Sprint("o", r.rounds)
		go func() { over <- c.wave(ctx, prefix, either(10, 4), false, func(int) string { return "odd" }) }()
		for waiting := true; waiting; {
			f.noise(r.rounds)
			select {
			case err := <-over:
				require.NoError(t, err)
				waiting = false
			case <-time.After(time.Second):
			}
		}
		r.rounds++
	}
	require.NoError(t, c.wave(ctx, "plain", 2, true, matrix), "the server is as good as before")
	require.True(t, c.ready(c.servers[0]))
	r.note = fmt.Sprintf("%d false results", f.told())
	c.verifyForged(r, f)
	c.hasDeadLetters()
	c.printsNothingHarmful(ctx, "o0-0")
	require.NoError(t, f.close())
	require.NotContains(t, c.servers[0].log(), "can't be kept now", "a batch of lines that can never be kept holds up others")
}

// verifyForged is verify, with the forger's own ledger for what it did, and a look for its lies.
func (c *cluster) verifyForged(r *row, f *forger) {
	c.verify(r, proof{effects: func(name string) ([]effect, error) {
		if c.made[name] == "odd" {
			return f.ledger(name)
		}
		return readLedger(c.ledger + "/" + name)
	}})
	recorded := 0
	for _, name := range c.names {
		journal, err := c.journal(name)
		require.NoError(c.t, err)
		for _, e := range journal {
			if !strings.HasPrefix(e.Type, "step.") {
				if e.Type == "result.refused" {
					recorded++
				}
				continue
			}
			if strings.Contains(string(e.Data.Outputs), "forged") || strings.HasPrefix(e.Data.Runner, "ghost/") {
				c.t.Errorf("%s: a lie is in the journal: %s %s attempt %d by %s: %s", name, e.Type, e.Data.Step, e.Data.Attempt, e.Data.Runner, e.Data.Outputs)
				r.doubled++
			}
		}
	}
	r.note += fmt.Sprintf(", %d of them recorded", recorded)
}

// noise goes to every queue.
func (f *forger) noise(round int) {
	junk := make([]byte, 2000)
	for i := range junk {
		junk[i] = byte(rand.Uint32())
	}
	partition := fmt.Sprint("vivarium.partitions.", f.pick(16))
	for _, queue := range []string{partition, "vivarium.logs", "vivarium.runners", "vivarium.commands"} {
		f.raw(queue, junk)
		f.raw(queue, nil)
		f.raw(queue, []byte(`{"specversion":"1.0","id":"x","source":"forger","type":"vivarium.task.finished.v1","data":[]}`))
		f.raw(queue, []byte(`{"specversion":"1.0","id":"x","source":"forger","type":"vivarium.task.logs.v1","data":{"lines":"none"}}`))
	}
	f.say(partition, "runner.heartbeat", data{"runner": "ghost/5", "time": "2199-01-01T00:00:00Z", "tasks": []any{nil, data{}}})
	f.say("vivarium.runners", "runner.hello", data{"name": "", "runner": "ghost", "public_key": "AAAA"})
	for _, forged := range []data{
		{"name": "ghost", "runner": "ghost/6", "pools": []string{"odd", "default"}, "concurrency": -1, "running": 1 << 40, "time": "2199-01-01T00:00:00Z"},
		{"name": "ghost", "runner": "ghost/7", "pools": []string{"odd"}, "executors": []string{"action"}, "concurrency": 1,
			"breakers": []data{{"executor": "action", "target": "\x1b[2J", "until": "2199-01-01T00:00:00Z"}}},
		{"name": "", "runner": ""}, {"pools": "none"}, {"server": "ghost", "owned": []int{-1, 99}, "leaving": true},
	} {
		f.tell("vivarium.control", "runners", "runner.alive", forged)
	}
	f.send("vivarium.control", "runners", junk)
	f.logs(round)
}

// logs are lines as no runner sends them.
func (f *forger) logs(round int) {
	about := data{"environment": "o0-0", "operation": "op-1", "step": "odd.action.first", "attempt": 1, "partition": 0, "epoch": 1}
	lines := func(first int, texts ...string) {
		batch := data{"first": first}
		for k, v := range about {
			batch[k] = v
		}
		var list []any
		for _, text := range texts {
			list = append(list, data{"time": time.Now(), "stream": "out", "text": text})
		}
		batch["lines"] = list
		f.say("vivarium.logs", "task.logs", batch)
	}
	lines(round, "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m \u202eturned\u202c", strings.Repeat("\x1b[1A", 1000))
	lines(-1, "numbered from below")
	lines(1<<62, "numbered from above")
	lines(100)
	about["environment"] = "nobody"
	lines(0, "of nobody")
	f.raw("vivarium.logs", []byte("{\"specversion\":\"1.0\",\"id\":\"x\",\"source\":\"s\",\"type\":\"vivarium.task.logs.v1\",\"data\":{\"environment\":\"o0-0\",\"lines\":[{\"text\":\"\xff\xfe\"}]}}"))
	if f.pick(4) == 0 {
		about["environment"] = "o0-0"
		lines(1000, strings.Repeat("x", 10<<20))
	}
}

// hasDeadLetters: what could not be read is kept with its reason, at once, and nothing else was given up with it.
func (c *cluster) hasDeadLetters() {
	conn, err := amqp.Dial(c.broker.URL())
	require.NoError(c.t, err)
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	require.NoError(c.t, err)
	seen := 0
	for {
		d, ok, err := ch.Get("vivarium.dead", true)
		require.NoError(c.t, err)
		if !ok {
			break
		}
		seen++
		require.NotEmpty(c.t, d.Headers["x-vivarium-reason"], "a dead letter without a reason: %v", d.Headers)
		require.NotEqual(c.t, "max-deliveries", d.Headers["x-vivarium-reason"], "it was tried again and again: %.300s", d.Body)
	}
	require.Positive(c.t, seen)
}

// printsNothingHarmful reads the logs as a person would.
func (c *cluster) printsNothingHarmful(ctx context.Context, name string) {
	cmd := exec.CommandContext(ctx, program, "env", "logs", name, "--data-dir", c.servers[0].dir)
	cmd.Env = baseEnvironment()
	out, err := cmd.CombinedOutput()
	require.NoError(c.t, err, "%s", out)
	require.Contains(c.t, string(out), "red")
	require.False(c.t, bytes.ContainsRune(out, 0x1b), "an escape sequence came through: %q", out[:min(len(out), 500)])
	require.NotContains(c.t, string(out), "\u202e")
}
