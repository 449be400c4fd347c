package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Publisher is an ordinary AMQP client that knows nothing of the program but the names in the README. It keeps everything
// that it hears on the exchange of events.
type Publisher struct {
	conn    *amqp.Connection
	channel *amqp.Channel
	reply   string
	answers <-chan amqp.Delivery
	sent    int

	mu     sync.Mutex
	events [][]byte
	ended  chan struct{}
}

// NewPublisher connects, and listens to all events from now on.
func NewPublisher(url string) (*Publisher, error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return nil, err
	}
	p := &Publisher{conn: conn, ended: make(chan struct{})}
	events, err := p.listen()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go func() {
		defer close(p.ended)
		for e := range events {
			p.mu.Lock()
			p.events = append(p.events, e.Body)
			p.mu.Unlock()
		}
	}()
	return p, nil
}

func (p *Publisher) listen() (events <-chan amqp.Delivery, err error) {
	if p.channel, err = p.conn.Channel(); err != nil {
		return nil, err
	}
	if p.reply, p.answers, err = p.queue(); err != nil {
		return nil, err
	}
	name, events, err := p.queue()
	if err != nil {
		return nil, err
	}
	return events, p.channel.QueueBind(name, "#", "vivarium.events", false, nil)
}

// queue makes one that is only ours and goes with us.
func (p *Publisher) queue() (string, <-chan amqp.Delivery, error) {
	q, err := p.channel.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return "", nil, err
	}
	deliveries, err := p.channel.Consume(q.Name, "", true, true, false, false, nil)
	return q.Name, deliveries, err
}

// Send publishes a command and returns the operation that it was accepted as.
func (p *Publisher) Send(ctx context.Context, command, environment string, data any) (operation string, err error) {
	p.sent++
	id := fmt.Sprintf("%s-%s-%d", environment, command, p.sent)
	body, err := json.Marshal(map[string]any{"specversion": "1.0", "id": id, "source": "/demo", "subject": environment,
		"type": "vivarium." + command + ".v1", "data": data})
	if err != nil {
		return "", err
	}
	err = p.channel.PublishWithContext(ctx, "vivarium.commands", command, false, false, amqp.Publishing{
		ContentType: "application/cloudevents+json", DeliveryMode: amqp.Persistent, ReplyTo: p.reply,
		CorrelationId: strconv.Itoa(p.sent), Body: body})
	if err != nil {
		return "", err
	}
	return p.answer(ctx, command)
}

func (p *Publisher) answer(ctx context.Context, command string) (string, error) {
	select {
	case d, open := <-p.answers:
		var said struct {
			Data struct {
				Accepted  bool
				Operation string
				Error     struct{ Code, Message string }
			}
		}
		if !open {
			return "", errors.New("the broker has closed the connection")
		}
		if err := json.Unmarshal(d.Body, &said); err != nil {
			return "", err
		}
		if !said.Data.Accepted {
			return "", fmt.Errorf("%s was rejected (%s): %s", command, said.Data.Error.Code, said.Data.Error.Message)
		}
		return said.Data.Operation, nil
	case <-ctx.Done():
		return "", fmt.Errorf("no answer to %s: %w", command, ctx.Err())
	}
}

// Events are all that were heard so far.
func (p *Publisher) Events() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events[:len(p.events):len(p.events)]
}

// Close ends the connection.
func (p *Publisher) Close() error {
	err := p.conn.Close()
	<-p.ended
	return err
}
