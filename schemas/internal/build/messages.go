package build

import (
	"reflect"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/api/schema"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// refs is where the definitions of a schema are.
const refs = "#/$defs/"

// Kind of a message, which is also the folder of its schema.
type Kind string

// Kinds of messages.
const (
	Event   Kind = "events"
	Command Kind = "commands"
	Answer  Kind = "answers"
	Runner  Kind = "runner"
	Cluster Kind = "cluster"
)

var folders = []string{string(Event), string(Command), string(Answer), string(Runner), string(Cluster)}

// Message is one type of message on the bus.
type Message struct {
	Name string // such as environment.create
	Kind Kind
	Data any // a value of the Go type of its data
}

// File is the path of its schema below schemas/.
func (m Message) File() string { return string(m.Kind) + "/" + m.Name + event.TypeSuffix + ".json" }

// Messages are all types, in a fixed order.
func Messages() []Message {
	all := []Message{
		{event.EnvironmentCreate, Command, event.Create{}},
		{event.EnvironmentUpdate, Command, event.Update{}},
		{event.EnvironmentSchedule, Command, event.Schedule{}},
		{event.EnvironmentDestroy, Command, event.Destroy{}},
		{event.EnvironmentCancel, Command, event.Cancel{}},
		{event.EnvironmentRetry, Command, event.Retry{}},
		{event.EnvironmentRedeploy, Command, event.Redeploy{}},
		{event.EnvironmentPause, Command, event.Pause{}},
		{event.EnvironmentResume, Command, event.Resume{}},
		{event.EnvironmentRun, Command, event.Run{}},
		{event.EnvironmentCheck, Command, event.Check{}},
		{event.EnvironmentPlan, Command, event.Proposal{}},
		{event.EnvironmentLock, Command, event.Lock{}},
		{event.EnvironmentUnlock, Command, event.Unlock{}},
		{event.EnvironmentSettle, Command, event.Settle{}},
		{event.EnvironmentRollback, Command, event.Rollback{}},
		{event.EnvironmentClone, Command, event.Clone{}},
		{event.EnvironmentPromote, Command, event.Promote{}},
		{event.EnvironmentApply, Command, event.ApplyPlan{}},
		{event.EnvironmentAdopt, Command, event.Adopt{}},
		{event.OperationApprove, Command, event.Judgement{}},
		{event.OperationReject, Command, event.Judgement{}},
		{answerName(), Answer, event.Answer{}},
		{event.TaskOffered, Runner, event.Task{}},
		{event.TaskAccepted, Runner, event.Accepted{}},
		{event.TaskRefused, Runner, event.Refused{}},
		{event.TaskFinished, Runner, event.Result{}},
		{event.TaskState, Runner, event.State{}},
		{event.TaskLogs, Runner, event.Logs{}},
		{event.TaskCancel, Runner, event.CancelTask{}},
		{event.RunnerHeartbeat, Runner, event.Heartbeat{}},
		{event.RunnerHello, Runner, event.Hello{}},
		{event.RunnerWelcome, Runner, event.Welcome{}},
		{event.RunnerAlive, Runner, event.Alive{}},
		{event.RunnerRollCall, Runner, RollCall{}},
		{event.ClusterAuthority, Runner, event.Authority{}},
		{event.ServerAlive, Runner, event.ServerPresence{}},
		{event.PartitionTick, Runner, event.Tick{}},
		{event.QueueMark, Runner, event.Mark{}},
		{event.ClusterSignal, Cluster, event.Signal{}},
		{event.ClusterReport, Cluster, replication.Report{}},
		{event.WatchesLeased, Runner, event.Watches{}},
		{event.HealthReported, Runner, event.ResourceHealth{}},
		{event.UsageWanted, Runner, event.WantedUsage{}},
		{event.UsageReported, Runner, event.ResourceUsage{}},
	}
	for _, body := range environment.Bodies() {
		all = append(all, Message{body.Type(), Event, environment.Public(body)})
	}
	return all
}

// RollCall is the data of runner.roll-call, which says nothing: all runners tell that they are there.
type RollCall struct{}

func answerName() string {
	name, _ := event.NameOf(event.AnswerType)
	return name
}

// of are the messages of one kind.
func of(all []Message, kind Kind) []Message {
	return slices.DeleteFunc(slices.Clone(all), func(m Message) bool { return m.Kind != kind })
}

// schema is the CloudEvent with the type's data. What others send has to be exact; what they read may gain fields.
func (m Message) schema(comments map[string]string) (schema.Object, error) {
	envelope, err := envelope(comments)
	if err != nil {
		return nil, err
	}
	r := schema.New(schema.Options{Refs: refs, Closed: m.Kind == Command, Comments: comments})
	data, err := r.Of(m.Data)
	if err != nil {
		return nil, err
	}
	properties, _ := envelope["properties"].(schema.Object)
	properties["specversion"] = schema.Object{"const": event.SpecVersion}
	properties["type"] = schema.Object{"const": event.TypeOf(m.Name)}
	properties["datacontenttype"] = schema.Object{"const": "application/json"}
	properties["data"] = data
	required := []any{"specversion", "id", "source", "type"}
	if m.Kind == Command {
		properties["datacontenttype"] = schema.Object{"type": "string", "pattern": "^application/json"}
		properties["subject"] = schema.Object{"type": "string", "minLength": 1, "description": "The environment's name"}
		required = append(required, "subject")
	}
	if m.Kind != Command || demands(r.Definitions(), m.Data) {
		required = append(required, "data")
	}
	envelope["required"] = required
	envelope["$schema"] = schema.Dialect
	envelope["$id"] = "urn:vivarium:schema:" + m.Name + event.TypeSuffix
	envelope["title"] = event.TypeOf(m.Name)
	envelope["description"] = "A CloudEvent; extension attributes that are not listed are allowed."
	definitions := schema.Object{}
	reach(definitions, r.Definitions(), data)
	envelope["$defs"] = definitions
	return envelope, nil
}

// reach adds the definitions that v refers to, and those that they refer to.
func reach(found schema.Object, all map[string]schema.Object, v any) {
	switch v := v.(type) {
	case schema.Object:
		if to, ok := v["$ref"].(string); ok {
			name := strings.TrimPrefix(to, refs)
			if _, known := found[name]; !known {
				found[name] = all[name]
				reach(found, all, all[name])
			}
		}
		for _, member := range v {
			reach(found, all, member)
		}
	case []any:
		for _, member := range v {
			reach(found, all, member)
		}
	}
}

// demands tells whether the data has a field that has to be given, so that it can't be left out itself.
func demands(definitions map[string]schema.Object, data any) bool {
	required, _ := definitions[reflect.TypeOf(data).Name()]["required"].([]any)
	return len(required) > 0
}

// envelope is the schema of a CloudEvent; extension attributes that nobody here knows are allowed, as CloudEvents asks.
func envelope(comments map[string]string) (schema.Object, error) {
	r := schema.New(schema.Options{Refs: refs, Comments: comments})
	if _, err := r.Of(event.Envelope{}); err != nil {
		return nil, err
	}
	return r.Definitions()[reflect.TypeFor[event.Envelope]().Name()], nil
}
