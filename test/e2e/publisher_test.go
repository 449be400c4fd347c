package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/schemas"
	"github.com/vivarium-env/vivarium/test/servers"
)

// publisher is an ordinary AMQP client that knows nothing of our packages but the names in the README.
type publisher struct {
	t       *testing.T
	ch      *amqp.Channel
	answers <-chan amqp.Delivery
	events  <-chan amqp.Delivery
	reply   string
	n       int
}

func newPublisher(t *testing.T, url string) *publisher {
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	p := &publisher{t: t, ch: ch}
	queue := func() (string, <-chan amqp.Delivery) {
		q, err := ch.QueueDeclare("", false, true, true, false, nil)
		require.NoError(t, err)
		d, err := ch.Consume(q.Name, "", true, true, false, false, nil)
		require.NoError(t, err)
		return q.Name, d
	}
	p.reply, p.answers = queue()
	var name string
	name, p.events = queue()
	require.NoError(t, ch.QueueBind(name, "environment.#", "vivarium.events", false, nil))
	return p
}

func (p *publisher) raw(key string, body []byte) {
	p.t.Helper()
	p.n++
	require.NoError(p.t, p.ch.PublishWithContext(p.t.Context(), "vivarium.commands", key, false, false, amqp.Publishing{
		ContentType: "application/cloudevents+json", ReplyTo: p.reply, CorrelationId: fmt.Sprint(p.n), Body: body}))
}

type commandAnswer struct {
	Accepted    bool
	Duplicate   bool
	Environment string
	Operation   string
	Error       struct {
		Code, Message string
		Diagnostics   []struct {
			File    string
			Line    int
			Snippet string
		}
	}
}

func (p *publisher) command(id, command, environment, data string) commandAnswer {
	p.t.Helper()
	subject, _ := json.Marshal(environment)
	p.raw(command, fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"e2e","type":"vivarium.%s.v1","subject":%s,"data":%s}`, id, command, subject, data))
	select {
	case d := <-p.answers:
		require.Equal(p.t, fmt.Sprint(p.n), d.CorrelationId)
		var e struct {
			Type string
			Data commandAnswer
		}
		require.NoError(p.t, json.Unmarshal(d.Body, &e))
		require.NoError(p.t, schemas.Validate(e.Type, d.Body), "%s", d.Body)
		return e.Data
	case <-time.After(patience):
		p.t.Fatalf("no answer to %s %s", command, id)
		return commandAnswer{}
	}
}

// await reads events, each against its schema, up to one of the type, and returns the types on the way.
func (p *publisher) await(environment, until string) []string {
	p.t.Helper()
	var types []string
	timeout := time.After(patience)
	for {
		select {
		case d := <-p.events:
			var e struct{ Type, Subject string }
			require.NoError(p.t, json.Unmarshal(d.Body, &e))
			require.NoError(p.t, schemas.Validate(e.Type, d.Body), "%s", d.Body)
			if e.Subject != environment {
				continue
			}
			require.True(p.t, strings.HasPrefix(d.RoutingKey, "environment."+environment+"."), d.RoutingKey)
			types = append(types, e.Type)
			if e.Type == until {
				return types
			}
		case <-timeout:
			p.t.Fatalf("no event %s of %s; seen: %v", until, environment, types)
		}
	}
}

func rabbit(t *testing.T) *servers.RabbitMQ {
	b := servers.SharedRabbitMQ(t)
	t.Logf("RabbitMQ %s", b.Version())
	return b
}

func TestAnOrdinaryAMQPClientCreatesAndDestroys(t *testing.T) {
	broker := rabbit(t)
	s := server(t, "--primary", "--bus", broker.URL())
	p := newPublisher(t, broker.URL())

	answer := p.command("c-1", "environment.create", "greetings", `{"templates":["hello"],"tags":["team:e2e"]}`)
	require.True(t, answer.Accepted, "%+v", answer)
	types := p.await("greetings", "vivarium.environment.deployed.v1")
	require.Equal(t, []string{"vivarium.environment.created.v1", "vivarium.environment.deploying.v1", "vivarium.step.waiting.v1"}, types[:3])

	again := p.command("c-1", "environment.create", "greetings", `{"templates":["hello"]}`)
	require.True(t, again.Accepted && again.Duplicate, "taken once, answered twice: %+v", again)
	require.Equal(t, answer.Operation, again.Operation)

	var shown struct {
		Status string
		Tags   []string
	}
	require.Equal(t, 200, s.get("environments/greetings", &shown))
	require.Equal(t, "deployed", shown.Status)
	require.Equal(t, []string{"team:e2e"}, shown.Tags)

	require.True(t, p.command("c-2", "environment.destroy", "greetings", `{}`).Accepted)
	p.await("greetings", "vivarium.environment.destroyed.v1")
}

func TestBadCommandsAreAnsweredWithACode(t *testing.T) {
	broker := rabbit(t)
	server(t, "--primary", "--bus", broker.URL())
	p := newPublisher(t, broker.URL())
	require.True(t, p.command("ok", "environment.create", "there", `{"templates":["hello"]}`).Accepted)
	p.await("there", "vivarium.environment.deployed.v1")
	for i, bad := range []struct{ command, name, data, code string }{
		{"environment.create", "x", `{"templates":["hello"],"colour":"red"}`, "unknown-field"},
		{"environment.create", "x", `{"templates":"hello"}`, "invalid"},
		{"environment.create", "x", `{}`, "invalid"},
		{"environment.create", "x", `[]`, "invalid"},
		{"environment.create", "x", `{"templates":["nowhere"]}`, "unknown-template"},
		{"environment.create", "x", `{"templates":["hello@99.0.0"]}`, "unknown-template"},
		{"environment.create", "x", `{"templates":["hello"],"parameters":{"nobody":1}}`, "invalid-parameter"},
		{"environment.create", "x", `{"templates":["notes"],"parameters":{"replicas":-1}}`, "invalid-parameter"},
		{"environment.create", "x", `{"templates":["hello"],"destroy_at":"2001-01-01T00:00:00Z"}`, "invalid"},
		{"environment.create", "a/b", `{"templates":["hello"]}`, "invalid-name"},
		{"environment.create", strings.Repeat("a", 300), `{"templates":["hello"]}`, "invalid-name"},
		{"environment.create", "", `{"templates":["hello"]}`, "invalid-name"},
		{"environment.create", "there", `{"templates":["hello"]}`, "exists"},
		{"environment.destroy", "nobody", `{}`, "not-found"},
		{"environment.destroy", "there", `{"force":"very"}`, "invalid"},
		{"environment.cancel", "there", `{}`, "conflict"},
		{"environment.explode", "there", `{}`, "unknown-command"},
	} {
		answer := p.command(fmt.Sprintf("bad-%d", i), bad.command, bad.name, bad.data)
		require.False(t, answer.Accepted, "%+v", bad)
		require.Equal(t, bad.code, answer.Error.Code, "%+v: %+v", bad, answer)
		require.NotEmpty(t, answer.Error.Message)
	}
	types := p.await("there", "vivarium.command.rejected.v1")
	require.NotEmpty(t, types, "a rejection is an event, too")
}

func TestRandomBytesBecomeADeadLetterAndTheNextCommandIsServed(t *testing.T) {
	broker := rabbit(t)
	server(t, "--primary", "--bus", broker.URL())
	p := newPublisher(t, broker.URL())
	junk := make([]byte, 10_000)
	_, err := rand.Read(junk)
	require.NoError(t, err)
	p.raw("environment.create", junk)
	require.True(t, p.command("after", "environment.create", "after-junk", `{"templates":["hello"]}`).Accepted)
	require.Eventually(t, func() bool {
		d, ok, err := p.ch.Get("vivarium.dead", true)
		return err == nil && ok && string(d.Body) == string(junk) && d.Headers["x-vivarium-reason"] == "unreadable"
	}, patience, 50*time.Millisecond)
	p.await("after-junk", "vivarium.environment.deployed.v1")
}

func TestARunnerElsewhereNeedsNothingButTheBus(t *testing.T) {
	broker := rabbit(t)
	s := server(t, "--primary", "--bus", broker.URL(), "--no-runner")
	p := newPublisher(t, broker.URL())
	require.True(t, p.command("1", "environment.create", "far", `{"templates":["hello"]}`).Accepted)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	background(t, ctx, "runner", "--pool", "default", "--bus", broker.URL(), "--name", "elsewhere", "--work-dir", t.TempDir())
	p.await("far", "vivarium.environment.deployed.v1")
	var resources struct {
		Items []struct{ Step struct{ Runner string } }
	}
	s.get("environments/far/resources", &resources)
	require.Contains(t, resources.Items[0].Step.Runner, "elsewhere/")
}

func TestASecondaryServesReadsAndTakesNoCommand(t *testing.T) {
	s := server(t, "--primary-cluster-name", "north")
	var info struct{ Role string }
	require.Equal(t, 200, s.get("self/info", &info))
	require.Equal(t, "secondary", info.Role)
	var list struct{ Items []json.RawMessage }
	require.Equal(t, 200, s.get("environments", &list))
	_, err := s.cli("env", "create", "x", "--template", "hello", "--wait", "--timeout", "20s")
	require.ErrorContains(t, err, "north")
}
