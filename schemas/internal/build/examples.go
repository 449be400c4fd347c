package build

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	exampleCommand   = "018f2a6e-5c1b-7c3d-9a55-0f6b1c2d3e4f"
	exampleOperation = "018f2a6e-5c2f-7a10-8d41-7b9e2f10aa01"
	exampleSource    = "/teams/notes"
	exampleRunner    = "runner-1"
	exampleStep      = `notes.terraform.network["north"]`
	exampleHash      = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

var exampleTime = time.Date(2027, time.January, 31, 18, 0, 0, 0, time.UTC)

// Example is a whole message of the type.
func Example(m Message) event.Envelope {
	at := exampleTime
	e := event.Envelope{
		SpecVersion: event.SpecVersion, ID: exampleCommand, Source: "vivarium/local", Type: event.TypeOf(m.Name),
		Subject: "notes", Time: &at, DataContentType: "application/json", Data: encode(exampleData(m.Name)),
	}
	switch m.Kind {
	case Command:
		e.Source = exampleSource
	case Answer:
		e.CorrelationID = exampleCommand
	case Event:
		partition, epoch := 7, uint64(1)
		e.ID, e.Partition, e.Epoch, e.Sequence, e.CausationID = "local/7/42", &partition, &epoch, "42", exampleCommand
	}
	return e
}

func encode(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("an example can't be written: %v", err)) // the examples are ours
	}
	return data
}

// exampleData is the data of the example of a type; a type without one is an error of this package.
func exampleData(name string) any {
	for _, examples := range []map[string]any{commandExamples(), runnerExamples()} {
		if data, ok := examples[name]; ok {
			return data
		}
	}
	for _, body := range append(environmentExamples(), stepExamples()...) {
		if body.Type() == name {
			return environment.Public(body)
		}
	}
	panic("there is no example for messages of type " + name)
}

func commandExamples() map[string]any {
	return map[string]any{
		event.EnvironmentCreate: event.Create{
			Templates: []string{"notes@1.2.0"}, Parameters: map[string]json.RawMessage{"replicas": json.RawMessage("2")},
			Description: "Notes for the sales demo", Tags: []string{"team:notes"}, DestroyAt: &exampleTime,
		},
		event.EnvironmentUpdate: event.Update{
			Templates: []string{"notes@1.3.0"}, Parameters: map[string]json.RawMessage{"replicas": json.RawMessage("3")},
		},
		event.EnvironmentSchedule: event.Schedule{
			DestroyAt: &exampleTime, Hours: &event.Hours{Up: "0 8 * * 1-5", Down: "0 19 * * 1-5", Timezone: "Europe/Berlin"},
		},
		event.EnvironmentDestroy:  event.Destroy{Force: false},
		event.EnvironmentCancel:   event.Cancel{Reason: "the wrong template"},
		event.EnvironmentRetry:    event.Retry{FailFast: true},
		event.EnvironmentPause:    event.Pause{Reason: "the cloud has maintenance"},
		event.EnvironmentResume:   event.Resume{},
		event.EnvironmentRedeploy: event.Redeploy{Groups: []string{"app"}},
		event.EnvironmentRun:      event.Run{Action: "notes.action.backup"},
		event.EnvironmentPlan: event.Proposal{
			Templates: []string{"notes@1.3.0"}, Parameters: map[string]json.RawMessage{"replicas": json.RawMessage("3")},
		},
		event.EnvironmentCheck:    event.Check{Resources: []string{exampleStep}},
		event.EnvironmentSettle:   event.Settle{Step: exampleStep, Verdict: event.Done, Outputs: json.RawMessage(`{"id":"net-1"}`)},
		event.EnvironmentLock:     event.Lock{Reason: "the audit runs until Friday"},
		event.EnvironmentUnlock:   event.Unlock{},
		event.EnvironmentRollback: event.Rollback{Revision: 3},
		event.EnvironmentClone:    event.Clone{From: "notes", Parameters: map[string]json.RawMessage{"replicas": json.RawMessage("1")}, DestroyAt: &exampleTime},
		event.EnvironmentPromote:  event.Promote{From: "notes-staging", Keep: []string{"replicas"}},
		event.EnvironmentApply:    event.ApplyPlan{Plan: exampleOperation},
		event.EnvironmentAdopt: event.Adopt{
			Templates: []string{"notes@1.3.0"}, Resources: map[string]json.RawMessage{"notes.consul_kv.settings": json.RawMessage("true"),
				exampleStep: json.RawMessage(`{"docker_network.main":"3f1c"}`)},
		},
		event.OperationApprove: event.Judgement{Operation: exampleOperation, Comment: "the window is open"},
		event.OperationReject:  event.Judgement{Operation: exampleOperation, Comment: "not on a Friday"},
		answerName(): event.Answer{
			CommandID: exampleCommand, Command: event.EnvironmentCreate, Environment: "notes", Accepted: true, Operation: exampleOperation,
		},
	}
}

func environmentExamples() []environment.Body {
	failure := fault.New(fault.GiveUp, fault.ExecutorFailed, "%s: the apply has failed; see the logs of the step", exampleStep)
	return []environment.Body{
		environment.CommandRejected{
			CommandID: exampleCommand, Command: event.EnvironmentCreate, RequestedBy: exampleSource,
			Error: fault.New(fault.Reject, fault.UnknownTemplate, "the catalogue has no template \"nots\""),
		},
		environment.CommandQueued{CommandID: exampleCommand, Command: event.EnvironmentUpdate, RequestedBy: exampleSource},
		environment.QueueDropped{CommandID: exampleCommand, RequestedBy: exampleSource, Queued: exampleCommand, Reason: "not today"},
		environment.Created{
			CommandID: exampleCommand, RequestedBy: exampleSource, Operation: exampleOperation, Tags: []string{"team:notes"},
			Templates:  []environment.Template{{Name: "notes", Version: "1.2.0", Hash: exampleHash}},
			Parameters: map[string]json.RawMessage{"replicas": json.RawMessage("2"), "password": json.RawMessage(`"(sensitive)"`)},
			Groups:     []environment.Group{{Name: "network", Description: "Everything that others stand on"}},
			Nodes:      make([]environment.Node, 12), Parallelism: 10, Epoch: 1,
		},
		environment.StatusDeploying{Operation: exampleOperation},
		environment.StatusValidating{Operation: exampleOperation, Probes: 3},
		environment.StatusDeployed{
			Operation: exampleOperation, Outputs: json.RawMessage(`{"url":"https://notes.example.test"}`),
			Entrypoints: []environment.Entrypoint{{Name: "web", URL: "https://notes.example.test"}},
		},
		environment.StatusFailed{Operation: exampleOperation, Error: failure},
		environment.StatusDestroying{CommandID: exampleCommand, Force: true, Resumes: []string{"app"}, Operation: exampleOperation, Parallelism: 10, Epoch: 1},
		environment.StatusRetrying{CommandID: exampleCommand, RequestedBy: exampleSource, Operation: exampleOperation, Parallelism: 10, Epoch: 1},
		environment.Updated{
			CommandID: exampleCommand, RequestedBy: exampleSource, Operation: exampleOperation,
			Templates:  []environment.Template{{Name: "notes", Version: "1.3.0", Hash: exampleHash}},
			Parameters: map[string]json.RawMessage{"replicas": json.RawMessage("3")}, Given: []string{"replicas"},
			Nodes: make([]environment.Node, 12), Steps: []string{exampleStep}, Parallelism: 10, Epoch: 1,
		},
		environment.Scheduled{CommandID: exampleCommand, RequestedBy: exampleSource, DestroyAt: &exampleTime},
		environment.DestructionAhead{DestroyAt: exampleTime, Warning: time.Hour},
		environment.DestructionHeld{DestroyAt: exampleTime, Error: fault.New(fault.Reject, fault.Locked, "environment \"notes\" was locked by %s", exampleSource)},
		environment.Healing{Operation: exampleOperation, Steps: []string{exampleStep}, Parallelism: 10, Epoch: 1},
		environment.HealGaveUp{Step: exampleStep, Heals: 5},
		environment.Appointed{Appointments: environment.Appointments{Up: &exampleTime}},
		environment.Locked{CommandID: exampleCommand, RequestedBy: exampleSource, Reason: "the audit runs until Friday"},
		environment.Unlocked{CommandID: exampleCommand, RequestedBy: exampleSource},
		environment.StatusRunning{CommandID: exampleCommand, RequestedBy: exampleSource, Operation: exampleOperation, Action: "notes.action.backup", Epoch: 1},
		environment.StatusPlanning{
			CommandID: exampleCommand, RequestedBy: exampleSource, Operation: exampleOperation, Unchanged: 11, Parallelism: 10, Epoch: 1,
			Templates: []environment.Template{{Name: "notes", Version: "1.3.0", Hash: exampleHash}}, Steps: make([]environment.Proposed, 1),
		},
		environment.StatusPlanned{Operation: exampleOperation, Counts: map[event.Change]int{event.ChangeNone: 11, event.ChangeUpdate: 1}, Until: &exampleTime},
		environment.PlansLapsed{Plans: []string{exampleOperation}},
		environment.AwaitingApproval{Operation: exampleOperation, Kind: environment.ForUpdate, Counts: map[event.Change]int{event.ChangeUpdate: 1},
			Needs: []environment.Need{{Template: "notes", By: []string{"/cli/*/anna"}}}, Until: exampleTime},
		environment.Approved{CommandID: exampleCommand, RequestedBy: exampleSource, Operation: exampleOperation, Comment: "the window is open"},
		environment.Refused{CommandID: exampleCommand, RequestedBy: exampleSource, Operation: exampleOperation, Comment: "not on a Friday"},
		environment.ApprovalExpired{Operation: exampleOperation, Until: exampleTime},
		environment.StepHeld{Operation: exampleOperation, Step: exampleStep, Why: "it would be destroyed (replace)", Needs: []environment.Need{{Self: true}}, Until: exampleTime},
		environment.StatusChecking{CommandID: exampleCommand, RequestedBy: exampleSource, Operation: exampleOperation, Parallelism: 10, Epoch: 1},
		environment.StatusDestroyed{Operation: exampleOperation},
		environment.StatusDestroyFailed{Operation: exampleOperation, Error: failure},
		environment.Cancelling{CommandID: exampleCommand, Operation: exampleOperation, Reason: "the wrong template"},
		environment.Paused{CommandID: exampleCommand, Operation: exampleOperation, Reason: "the cloud has maintenance"},
		environment.Redeploying{CommandID: exampleCommand, RequestedBy: exampleSource, Operation: exampleOperation, Groups: []string{"app"}, Steps: []string{exampleStep}, Parallelism: 10, Epoch: 1},
		environment.GroupPaused{CommandID: exampleCommand, RequestedBy: exampleSource, Groups: []string{"app"}, Reason: "the cloud has maintenance"},
		environment.GroupResumed{CommandID: exampleCommand, RequestedBy: exampleSource, Groups: []string{"app"}},
		environment.Resumed{CommandID: exampleCommand, Operation: exampleOperation},
		environment.Promoted{Epoch: 2, Side: "dc2", Server: "server-1", Forced: true},
		environment.TakenOver{Operation: exampleOperation, Epoch: 2},
		environment.Held{Operation: exampleOperation, Pool: "default", Executor: "terraform", Reason: &environment.Reason{
			Code: environment.BecauseNoRunner, Detail: "no runner of pool \"default\" with the executor \"terraform\" is there",
		}},
		environment.Finished{
			Operation: exampleOperation, Kind: environment.CreateOperation, Status: environment.OperationSucceeded,
			Steps: map[environment.StepState]int{environment.StateComplete: 12},
		},
	}
}

func stepExamples() []environment.Body {
	later := exampleTime.Add(2 * time.Second)
	failure := fault.New(fault.Retry, fault.ExecutorFailed, "%s: the provider did not answer", exampleStep)
	return []environment.Body{
		environment.StepWaiting{
			Operation: exampleOperation, Step: exampleStep, Verb: event.Apply, Attempt: 1, AcceptBefore: later,
			Inputs: json.RawMessage(`{"cidr":"10.0.0.0/16"}`),
		},
		environment.StepRunning{Operation: exampleOperation, Step: exampleStep, Attempt: 1, Runner: exampleRunner, StartedAt: exampleTime},
		environment.StepComplete{
			Operation: exampleOperation, Step: exampleStep, Attempt: 1, Runner: exampleRunner, StartedAt: exampleTime,
			FinishedAt: later, Outputs: json.RawMessage(`{"id":"net-7"}`),
		},
		environment.StepQueued{Operation: exampleOperation, Step: exampleStep, Attempt: 1, Cause: environment.CauseFailed, NotBefore: &later, Error: failure},
		environment.StepError{Operation: exampleOperation, Step: exampleStep, Attempt: 3, Runner: exampleRunner, Error: failure},
		environment.StepProgress{Operation: exampleOperation, Step: exampleStep, Attempt: 1, Progress: event.Progress{Message: "creating", Done: 3, Total: 10}},
		environment.StateSaved{
			Operation: exampleOperation, Step: exampleStep, Attempt: 1, Runner: exampleRunner, Number: 1,
			StateRef: environment.StateRef{Hash: exampleHash, Size: 4096},
		},
		environment.TaskRefused{Operation: exampleOperation, Step: exampleStep, Attempt: 1, Runner: exampleRunner, Epoch: 1},
		environment.ResourceHealth{
			Operation: exampleOperation, Step: exampleStep, Status: event.Unhealthy, Since: later, Runner: exampleRunner, Sequence: 7,
			Detail: "http://10.40.0.10:8080/healthz: status 503, expected 200 to 299",
		},
		environment.StepSkipped{Operation: exampleOperation, Step: exampleStep, Because: "notes.terraform.base"},
		environment.StepPlanned{Operation: exampleOperation, Step: exampleStep, Plan: event.Plan{
			Change:      event.ChangeUpdate,
			Differences: []event.Difference{{Path: "subnets", Change: event.ChangeUpdate, Before: "2", After: "3"}},
		}},
		environment.ResourceObserved{
			Operation: exampleOperation, Step: exampleStep, Presence: event.Present, Drifted: true, At: later,
			Differences: []event.Difference{{Path: "tags.team", Change: event.ChangeUpdate, Before: "notes", After: "nobody"}},
		},
		environment.StepDoubted{Operation: exampleOperation, Step: exampleStep, Verb: event.Apply, Attempt: 1, Runner: exampleRunner},
		environment.StepUncertain{
			Operation: exampleOperation, Step: exampleStep, Detail: "terraform knows of what its last saved state tells (absent), and of nothing that was made after that",
			Found: &event.Observation{Presence: event.Absent},
		},
		environment.StepSettled{CommandID: exampleCommand, RequestedBy: exampleSource, Operation: exampleOperation, Step: exampleStep, Verdict: event.Done},
		environment.StepRetained{Operation: exampleOperation, Step: exampleStep},
		environment.StepUnchanged{Operation: exampleOperation, Step: exampleStep},
	}
}

func runnerExamples() map[string]any {
	task := event.TaskRef{Environment: "notes", Operation: exampleOperation, Step: exampleStep, Attempt: 1, Partition: 7, Epoch: 1}
	later := exampleTime.Add(2 * time.Second)
	return map[string]any{
		event.TaskOffered: event.Task{
			TaskRef: task, Verb: event.Apply, Executor: "terraform", Inputs: json.RawMessage(`{"cidr":"10.0.0.0/16"}`), AcceptBefore: later,
		},
		event.TaskAccepted:    event.Accepted{TaskRef: task, Runner: exampleRunner, StartedAt: exampleTime},
		event.TaskRefused:     event.Refused{TaskRef: task, Runner: exampleRunner, Code: fault.Busy, Reason: "the runner is stopping"},
		event.TaskFinished:    event.Result{TaskRef: task, Runner: exampleRunner, StartedAt: exampleTime, FinishedAt: later},
		event.TaskState:       event.State{TaskRef: task, Runner: exampleRunner, Number: 1, Data: "v1.c2VhbGVk"},
		event.TaskLogs:        event.Logs{TaskRef: task, First: 0, Lines: []event.LogLine{{Time: exampleTime, Stream: "out", Text: "Creating..."}}},
		event.TaskCancel:      event.CancelTask{TaskRef: task, Reason: "the operation was cancelled"},
		event.RunnerHeartbeat: event.Heartbeat{Runner: exampleRunner, Pools: []string{"default"}, Time: exampleTime, Tasks: []event.TaskRef{task}},
		event.RunnerHello: event.Hello{
			Name: "rack-4", Runner: exampleRunner, Pools: []string{"default"}, Executors: []string{"terraform", "action"}, PublicKey: make([]byte, 32),
		},
		event.RunnerWelcome: event.Welcome{Cluster: "local", Epoch: 1, Partitions: 16, HeartbeatEvery: 5 * time.Second},
		event.RunnerAlive: event.Alive{
			Name: "rack-4", Runner: exampleRunner, Pools: []string{"default"}, Executors: []string{"terraform", "action"}, Concurrency: 8, Running: 3,
			Breakers: []event.Breaker{{Executor: "terraform", Target: "registry", Until: later, Error: "no answer"}}, Time: exampleTime,
		},
		event.RunnerRollCall:   RollCall{},
		event.ClusterAuthority: event.Authority{Server: "server-1", Epoch: 1, Left: 18 * time.Second, Heard: map[string]time.Time{exampleRunner: exampleTime}},
		event.ServerAlive:      event.ServerPresence{Server: "server-1", Owned: []int{1, 2}, Time: exampleTime},
		event.WatchesLeased: event.Watches{Partition: 7, Epoch: 1, Runner: exampleRunner, Lease: 20 * time.Second, Watches: []event.Watch{{
			Environment: "notes", Operation: exampleOperation, Step: exampleStep, Known: event.Healthy,
			Endpoint: &event.Endpoint{URL: "http://10.40.0.10:8080/healthz"},
		}}},
		event.HealthReported: event.ResourceHealth{
			Environment: "notes", Operation: exampleOperation, Step: exampleStep, Epoch: 1, Status: event.Unhealthy, Runner: exampleRunner, Sequence: 7,
			Detail: "http://10.40.0.10:8080/healthz: status 503, expected 200 to 299",
		},
		event.UsageWanted: event.WantedUsage{Environment: "notes", Step: exampleStep},
		event.UsageReported: event.ResourceUsage{Environment: "notes", Step: exampleStep, Runner: exampleRunner, Usage: event.Usage{
			Time: exampleTime, Replicas: []event.ReplicaUsage{{Name: "notes-api-1", State: "running", CPU: 0.25, Memory: 64 << 20}},
		}},
		event.PartitionTick: event.Tick{Partition: 7, Server: "server-1", Time: exampleTime},
		event.QueueMark:     event.Mark{Server: "server-1", Number: 1},
		event.ClusterSignal: event.Signal{
			Cluster: "east", Side: "9f2c81d0a4b7e365", Server: "server-1", Role: "primary", Epoch: 1, Positions: []uint64{12, 0, 40}, Time: exampleTime,
			Secondaries: []event.SecondarySignal{{Cluster: "west", Server: "server-2", Connected: true, Known: true, Entries: 2, Seconds: 0.1}},
		},
		event.ClusterReport: replication.Report{
			Name: replication.Name{Cluster: "west", Server: "server-2"}, Positions: []replication.Position{{Partition: 0, Seq: 12}}, AsOf: exampleTime,
		},
	}
}
