package api

import (
	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func (s *Server) graph(k *call) error {
	record, err := s.record(k)
	if err != nil {
		return err
	}
	all, err := s.everyResource(k)
	if err != nil {
		return err
	}
	uses, err := s.options.Store.Consumers(k.context(), record.Name)
	if err != nil {
		return err
	}
	graph := graphOf(record, all)
	graph.Around = append(graph.Around, uses...)
	if k.format() == formatJSON {
		return k.answer(graph)
	}
	return s.draw(k, pictureOf(graph))
}

func graphOf(record environment.Record, all []environment.ResourceRecord) wire.Graph {
	g := wire.Graph{
		Environment: record.Name, Status: record.Status, Groups: record.Groups,
		Nodes: make([]wire.GraphNode, 0, len(all)), Edges: []wire.GraphEdge{},
	}
	if g.Groups == nil {
		g.Groups = []environment.Group{}
	}
	known := make(map[string]bool, len(all))
	for i := range all {
		known[all[i].Address] = true
		g.Nodes = append(g.Nodes, graphNode(&all[i]))
	}
	for i := range all {
		for _, of := range all[i].Consumes {
			for _, address := range of.Targets() {
				g.Around = append(g.Around, store.Edge{From: store.Ref{Environment: record.Name, Address: all[i].Address},
					To: store.Ref{Environment: of.Environment, Address: address}, Kind: store.Consumes, Output: of.Output})
			}
		}
		for _, on := range all[i].DependsOn {
			if known[on] {
				g.Edges = append(g.Edges, wire.GraphEdge{From: all[i].Address, To: on})
			}
		}
	}
	return g
}

func graphNode(r *environment.ResourceRecord) wire.GraphNode {
	n := wire.GraphNode{
		Address: r.Address, Type: r.Type, Template: r.Template, Executor: r.Executor, Name: r.Name, Key: r.Key,
		Group: r.Group, Status: r.Status, State: r.Step.State, Verb: r.Step.Verb, Error: r.Step.Error,
	}
	if r.Health != nil {
		n.Health = r.Health.Status
	}
	return n
}
