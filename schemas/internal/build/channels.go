package build

import (
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/api/schema"
	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// channel is an exchange with a routing key, or a queue.
type channel struct {
	name     string
	exchange string // empty for a queue
	address  string // routing key or queue; empty where only the message knows it
	params   map[string]schema.Object
	summary  string
	action   string // of the server
	reply    string // channel of the answer
	messages []Message
}

const (
	receive = "receive"
	send    = "send"
)

// topology is what package bus declares, with what travels where.
func topology(all []Message) []channel {
	var list []channel
	for _, command := range of(all, Command) {
		list = append(list, channel{
			name: identifier(command.Name), exchange: bus.Commands, address: command.Name, action: receive, reply: "answers",
			summary: "Command " + command.Name, messages: []Message{command},
		})
	}
	list = append(list, channel{
		name: "answers", action: send, messages: of(all, Answer),
		summary: "Whether a command was accepted, sent to its reply_to once that is in the journal",
	}, channel{
		name: "events", exchange: bus.Events, address: environment.RoutingKey("{environment}", "{happening}"), action: send,
		summary: "What has happened, in order for one environment", messages: of(all, Event),
		params: map[string]schema.Object{
			"environment": {"description": "Name of the environment; _ for a command that named none"},
			"happening":   {"description": "What has happened", "enum": happenings(all)},
		},
	}, channel{
		name: "deadLetters", address: bus.DeadLetters, action: send,
		summary: "What nobody could read, and states of steps that came too late, as they came, with the reason in the headers " + bus.HeaderReason + " and " + bus.HeaderDetail,
	})
	return append(list, runnerChannels(all)...)
}

// runnerChannels are those between server and runners.
func runnerChannels(all []Message) []channel {
	pool := map[string]schema.Object{"pool": {"description": "Pool of runners"}}
	heard := named(all, event.TaskAccepted, event.TaskRefused, event.TaskFinished, event.TaskState, event.RunnerHeartbeat, event.HealthReported, event.PartitionTick, event.QueueMark)
	return []channel{{
		name: "tasks", address: bus.Tasks("{pool}"), params: pool, action: send, summary: "Steps offered to the runners of a pool",
		messages: named(all, event.TaskOffered),
	}, {
		name: "partitions", address: strings.TrimSuffix(bus.Partition(0), "0") + "{partition}", action: receive,
		params:  map[string]schema.Object{"partition": {"description": "Number of the partition"}},
		summary: "All that the owner of a partition decides on; single active consumer", messages: append(heard, of(all, Command)...),
	}, {
		name: "control", exchange: bus.Control, address: "pool.{pool}", params: pool, action: send,
		summary: "What all runners of a pool hear", messages: named(all, event.TaskCancel),
	}, {
		name: "runner", exchange: bus.Control, address: "runner.{runner}", action: send,
		params:  map[string]schema.Object{"runner": {"description": "The first 16 hexadecimal digits of the SHA-256 of the runner's name"}},
		summary: "What one runner hears: all that it has to watch of a partition", messages: named(all, event.WatchesLeased),
	}, {
		name: "rollCall", exchange: bus.Control, address: "roll-call", action: send,
		summary: "Asks all runners whether they are there", messages: named(all, event.RunnerRollCall, event.ClusterAuthority),
	}, {
		name: "runnersHeard", exchange: bus.Control, address: "runners", action: receive,
		summary: "What every runner tells every server all the time: that it is there, and what it can't reach", messages: named(all, event.RunnerAlive, event.UsageReported),
	}, {
		name: "serversHeard", exchange: bus.Control, address: "servers", action: receive,
		summary: "What every server tells every other all the time: that it is there, and what it owns", messages: named(all, event.ServerAlive, event.UsageWanted),
	}, {
		name: "runners", address: bus.Runners, action: receive, reply: "welcomes", summary: "Runners that announce themselves",
		messages: named(all, event.RunnerHello),
	}, {
		name: "welcomes", action: send, summary: "The server's reply to a runner", messages: named(all, event.RunnerWelcome),
	}, {
		name: "cluster", exchange: bus.Cluster, address: "{role}", action: send,
		params:  map[string]schema.Object{"role": {"description": "Role of the server that says it", "enum": []any{"primary", "secondary"}}},
		summary: "What every server signals of itself: role, epoch, positions, that it leaves or hands over", messages: named(all, event.ClusterSignal),
	}, {
		name: "clusterReports", exchange: bus.Cluster, address: "report", action: send,
		summary: "What a secondary has reported to one server of the primary, for the others", messages: named(all, event.ClusterReport),
	}, {
		name: "logs", address: bus.Logs, action: receive, summary: "Lines that executors print", messages: named(all, event.TaskLogs),
	}}
}

func named(all []Message, names ...string) []Message {
	return slices.DeleteFunc(slices.Clone(all), func(m Message) bool { return !slices.Contains(names, m.Name) })
}

// happenings are the ends of the routing keys of events.
func happenings(all []Message) []string {
	var keys []string
	for _, m := range of(all, Event) {
		keys = append(keys, strings.TrimPrefix(environment.RoutingKey("x", m.Name), "environment.x."))
	}
	return keys
}

func (c channel) describe() schema.Object {
	messages := schema.Object{}
	for _, m := range c.messages {
		messages[identifier(m.Name)] = ref("#/components/messages/" + identifier(m.Name))
	}
	d := schema.Object{"summary": c.summary, "messages": messages, "address": nil}
	if c.address == "" {
		return d // the sender of the request gives it
	}
	d["address"] = c.address
	d["bindings"] = schema.Object{"amqp": c.binding()}
	if c.params != nil {
		d["parameters"] = c.params
	}
	return d
}

func (c channel) binding() schema.Object {
	if c.exchange != "" {
		return schema.Object{"is": "routingKey", "bindingVersion": amqpBinding, "exchange": schema.Object{
			"name": c.exchange, "type": "topic", "durable": true, "autoDelete": false,
		}}
	}
	return schema.Object{"is": "queue", "bindingVersion": amqpBinding, "queue": schema.Object{
		"name": c.address, "durable": true, "exclusive": false, "autoDelete": false,
	}}
}

func (c channel) messageRefs() []any {
	refs := []any{}
	for _, m := range c.messages {
		refs = append(refs, ref("#/channels/"+c.name+"/messages/"+identifier(m.Name)))
	}
	return refs
}

func replyRefs(name string, all []Message) []any {
	for _, c := range topology(all) {
		if c.name == name {
			return c.messageRefs()
		}
	}
	return nil
}
