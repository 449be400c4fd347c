package environment

import (
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// consuming is a resolver whose nodes find the outputs of other environments among those of their own.
type consuming struct {
	Resolver
	consumed func(environment, output string) Supply
}

func (r consuming) with(outputs func(string) (json.RawMessage, bool)) func(string) (json.RawMessage, bool) {
	return func(key string) (json.RawMessage, bool) {
		of, is := consumption(key)
		if !is {
			return outputs(key)
		}
		if r.consumed == nil {
			return nil, false
		}
		s := r.consumed(of.Environment, of.Output)
		return s.Value, s.Ready && s.Value != nil
	}
}

func (r consuming) Inputs(address string, outputs func(string) (json.RawMessage, bool)) (Inputs, error) {
	return r.Resolver.Inputs(address, r.with(outputs))
}

func (r consuming) Proposal(address string, outputs func(string) (json.RawMessage, bool)) (Inputs, error) {
	return r.Resolver.Proposal(address, r.with(outputs))
}

func (r consuming) Endpoint(address string, outputs func(string) (json.RawMessage, bool)) (*event.Endpoint, error) {
	return r.Resolver.Endpoint(address, r.with(outputs))
}

func (r consuming) Outputs(outputs func(string) (json.RawMessage, bool)) (json.RawMessage, error) {
	return r.Resolver.Outputs(r.with(outputs))
}

func (r consuming) Entrypoints(outputs func(string) (json.RawMessage, bool)) ([]Entrypoint, error) {
	return r.Resolver.Entrypoints(r.with(outputs))
}
