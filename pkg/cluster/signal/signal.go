package signal

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/service"
)

const (
	defaultEvery = 2 * time.Second
	keyReport    = "report"
	// patience is how long a broker may take for what is said at once, and how long it keeps a signal.
	patience = 2 * time.Second
)

// Options of Signals. Bus and Tell are required.
type Options struct {
	Bus bus.Bus
	// Tell is what is said now.
	Tell func(ctx context.Context) (event.Signal, error)
	// Heard is told what other servers say, and Report what one has heard of a secondary, as it was said; neither may block. Both may be nil.
	Heard  func(event.Signal)
	Report func(data json.RawMessage)
	// Every is how often it is said; two seconds unless set.
	Every time.Duration
	Log   *slog.Logger
}

// Signals is a service.Service; all methods are safe for concurrent use.
type Signals struct {
	Options
	source   string // of what this server says
	listener bus.Listener
	run      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

var _ service.Service = (*Signals)(nil)

// New makes one that says nothing before Start. Server is this process's, whose own signals it does not hear.
func New(server string, o Options) (*Signals, error) {
	if o.Bus == nil || o.Tell == nil || server == "" {
		return nil, errors.New("signal: server, bus and what to tell are required")
	}
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Signals{Options: o, source: "vivarium/server/" + server}
	s.run, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Start listens, and says who is there.
func (s *Signals) Start(ctx context.Context) (err error) {
	if err := s.Bus.Declare(ctx, bus.Topology{}); err != nil {
		return err
	}
	if s.listener, err = s.Bus.Listen(ctx, []bus.Address{{Exchange: bus.Cluster, Key: "#"}}, s.hear); err != nil {
		return err
	}
	s.running.Go(s.repeat)
	return nil
}

// Stop says that the server leaves. Stopping twice, or before Start, is harmless.
func (s *Signals) Stop(ctx context.Context) error {
	if s.run.Err() != nil || s.listener == nil {
		return nil
	}
	s.cancel()
	s.running.Wait()
	s.Say(ctx, func(e *event.Signal) { e.Leaving = true })
	return s.listener.Stop(ctx)
}

// Say says it at once, with a change, and returns when the broker has it, or has not for two seconds.
func (s *Signals) Say(ctx context.Context, change func(*event.Signal)) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	e, err := s.Tell(ctx)
	if err == nil {
		change(&e)
		err = s.Bus.Publish(ctx, s.message(e.Role, event.ClusterSignal, e))
	}
	if err != nil {
		s.Log.Debug("what this server signals was not heard", "error", err)
	}
}

// Pass gives other servers what a secondary has reported to this one.
func (s *Signals) Pass(report any) {
	if err := s.Bus.Send(s.run, s.message(keyReport, event.ClusterReport, report), func(error) {}); err != nil {
		s.Log.Debug("a secondary's report was not passed on", "error", err)
	}
}

func (s *Signals) repeat() {
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	for {
		if s.Bus.Status().Connected {
			s.Say(s.run, func(*event.Signal) {})
		}
		select {
		case <-s.run.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Signals) message(key, name string, data any) bus.Message {
	body, _ := json.Marshal(data) // our own types: always JSON
	now := time.Now().UTC()
	e := event.Envelope{SpecVersion: event.SpecVersion, ID: uuid.Must(uuid.NewV7()).String(), Source: s.source, Type: event.TypeOf(name),
		Time: &now, DataContentType: "application/json", Data: body}
	return bus.Message{To: bus.Address{Exchange: bus.Cluster, Key: key}, ID: e.ID, Type: e.Type, ContentType: event.ContentType, Transient: true,
		Expires: patience, Body: e.Encode()}
}

func (s *Signals) hear(m *bus.Message) {
	e, err := event.Decode(m.Body)
	if err != nil || e.Source == s.source {
		return
	}
	switch name, _ := event.NameOf(e.Type); name {
	case event.ClusterSignal:
		var said event.Signal
		if s.Heard != nil && json.Unmarshal(e.Data, &said) == nil {
			s.Heard(said)
		}
	case event.ClusterReport:
		if s.Report != nil {
			s.Report(e.Data)
		}
	}
}
