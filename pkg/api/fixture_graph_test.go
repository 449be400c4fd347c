package api

import (
	"context"
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// resources of the environment notes: one deployed, some that wait for each other, one with a hostile name.
func (f *fixture) resources() []environment.ResourceRecord {
	step := func(state environment.StepState, reason *environment.Reason) environment.StepRecord {
		return environment.StepRecord{Operation: operation, Verb: event.Apply, State: state, Attempt: 1, Reason: reason}
	}
	blocked := &environment.Reason{Code: "dependency", Detail: "waits for what it depends on"}
	limit := &environment.Reason{Code: "environment-limit", Detail: "as many"}
	node := func(name, group string, on ...string) environment.Node {
		return environment.Node{Address: "notes.terraform." + name, Type: environment.ResourceNode, Template: "notes",
			Executor: "terraform", Name: name, Group: group, DependsOn: on}
	}
	record := func(n environment.Node, status environment.Status, s environment.StepRecord) environment.ResourceRecord {
		return environment.ResourceRecord{Node: n, Environment: "notes", Status: status, Step: s, Revision: 3, UpdatedAt: began}
	}
	done := record(node("network", "network"), environment.Deployed, step(environment.StateComplete, nil))
	done.Inputs, done.Outputs = f.object("password"), f.object("token")
	evil := record(node(hostile, hostile, "notes.terraform.network"), environment.Failed, step(environment.StateError, nil))
	evil.Step.Error = fault.New(fault.GiveUp, fault.ExecutorFailed, "%s", hostile)
	action := node("migrate", "", "notes.terraform.a", "notes.terraform.b", "notes.terraform.c", "notes.terraform.d",
		"notes.terraform.e", "notes.terraform.network")
	action.Type, action.Executor = environment.ActionNode, "action"
	return []environment.ResourceRecord{
		done, evil,
		record(node("a", "network", "notes.terraform.network"), environment.Deploying, step(environment.StateRunning, nil)),
		record(node("b", "network", "notes.terraform.network"), environment.Pending, step(environment.StateWaiting, nil)),
		record(node("c", "undeclared", "notes.terraform.network"), environment.Pending, step(environment.StateQueued, limit)),
		record(node("d", "", "notes.terraform.a"), environment.Pending, step(environment.StateBlocked, blocked)),
		record(node("e", "", "notes.terraform.a"), environment.Pending, step(environment.StateBlocked, blocked)),
		record(action, environment.Pending, step(environment.StateBlocked, blocked)),
	}
}

// catalogue is a TemplateSource with one good and one broken template, and one that makes it panic.
type catalogue struct{}

func (catalogue) List(context.Context) ([]TemplateVersion, error) {
	reference := func(name, version string) environment.Template {
		return environment.Template{Name: name, Version: version, Hash: "abc"}
	}
	return []TemplateVersion{
		{Template: reference("notes", "1.2.0"), Description: "The notes service", Tags: []string{"team:notes"}},
		{Template: reference("notes", "1.1.0")},
		{Template: reference("broken", "0.1.0"), Error: fault.New(fault.Reject, fault.InvalidTemplate, "2 mistakes")},
		{Template: reference("zoo", "1.0.0")},
	}, nil
}

func (c catalogue) Get(_ context.Context, ref string) (Template, error) {
	switch ref {
	case "notes@1.2.0":
		return Template{
			TemplateVersion: TemplateVersion{Template: environment.Template{Name: "notes", Version: "1.2.0", Hash: "abc"}},
			Parameters:      []TemplateParameter{{Name: "replicas", Type: "number", Default: json.RawMessage("2")}},
			Resources:       []TemplateResource{{Address: "terraform.network", Executor: "terraform", Name: "network", Repeat: "for_each"}},
			Files:           []TemplateFile{{Path: "template.hcl", Size: 3, Content: "a=1"}},
		}, nil
	case "broken@0.1.0":
		return Template{}, fault.New(fault.Reject, fault.InvalidTemplate, "2 mistakes").With(
			fault.Diagnostic{Severity: "error", Summary: "Unknown reference", File: "template.hcl", Line: 3})
	case "panic@1":
		panic("the catalogue is on fire: " + password)
	}
	return Template{}, fault.New(fault.Reject, fault.UnknownTemplate, "no template %s", ref)
}
