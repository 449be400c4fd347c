package main

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// onlyLook lets the executors look and do nothing else, whatever they are asked for.
func (k *kit) onlyLook() {
	for i, e := range k.executors {
		k.executors[i] = looker{e}
	}
}

// looker is an executor that only looks. What an executor may be besides (a prober, a follower, an adopter) it is not.
type looker struct{ executor.Executor }

func inDrill() error {
	return fault.New(fault.GiveUp, fault.Forbidden, "this is a drill: nothing is done but looking")
}

// Plan implements executor.Executor.
func (looker) Plan(context.Context, executor.Request, event.Verb) (executor.Plan, error) {
	return executor.Plan{}, inDrill()
}

// Apply implements executor.Executor.
func (looker) Apply(context.Context, executor.Request) (executor.Outputs, error) {
	return nil, inDrill()
}

// Destroy implements executor.Executor.
func (looker) Destroy(context.Context, executor.Request) error { return inDrill() }
