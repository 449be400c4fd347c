package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Service is anything that runs until it is stopped.
type Service interface {
	// Start returns when the service works; ctx bounds the start only.
	Start(ctx context.Context) error
	// Stop takes no new work, waits for what is under way until ctx ends, then cancels it, and returns when all is
	// over. The error says what had to be cancelled.
	Stop(ctx context.Context) error
}

// Member is a Service with the name that errors call it by.
type Member struct {
	Name string
	Service
}

// Group runs several services as one. The zero value is an empty group; it is itself a Service.
type Group struct {
	mu      sync.Mutex
	members []Member
	started int
}

// NewGroup makes a group of members, to be started in this order.
func NewGroup(members ...Member) *Group { return &Group{members: members} }

// Start starts the members in order; when one fails, those before it are stopped again.
func (g *Group) Start(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.started < len(g.members) {
		m := g.members[g.started]
		if err := m.Start(ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", m.Name, err), g.stop(context.WithoutCancel(ctx)))
		}
		g.started++
	}
	return nil
}

// Stop stops the members in reverse order; all are stopped, whatever one of them says.
func (g *Group) Stop(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stop(ctx)
}

func (g *Group) stop(ctx context.Context) error {
	var all error
	for g.started > 0 {
		g.started--
		m := g.members[g.started]
		if err := m.Stop(ctx); err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", m.Name, err))
		}
	}
	return all
}
