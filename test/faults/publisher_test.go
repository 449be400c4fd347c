package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// answer to a command.
type answer struct {
	Accepted  bool
	Duplicate bool
	Operation string
	Error     *struct{ Code, Message string }
}

// command sends a command until it is answered: as a publisher does that wants to be sure, under the same id each time.
func command(ctx context.Context, broker, id, name, environment, data string) (answer, error) {
	var a answer
	var err error
	for ctx.Err() == nil {
		if a, err = once(ctx, broker, id, name, environment, data); err == nil {
			return a, nil
		}
		pause(ctx, 200*time.Millisecond)
	}
	return a, fmt.Errorf("%s %s was never answered: %w", name, environment, errors.Join(context.Cause(ctx), err))
}

// answerWithin is how long one copy of a command waits for its answer, before another is sent.
const answerWithin = 5 * time.Second

func once(ctx context.Context, broker, id, name, environment, data string) (answer, error) {
	var a answer
	conn, err := amqp.DialConfig(broker, amqp.Config{Dial: amqp.DefaultDial(5 * time.Second), Heartbeat: 5 * time.Second})
	if err != nil {
		return a, err
	}
	defer func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) }()
	ch, err := conn.Channel()
	if err != nil {
		return a, err
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return a, err
	}
	answers, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	if err != nil {
		return a, err
	}
	body := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"faults","type":"vivarium.%s.v1","subject":%q,"data":%s}`, id, name, environment, data)
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	err = ch.PublishWithContext(ctx, "vivarium.commands", name, true, false, amqp.Publishing{ContentType: "application/cloudevents+json",
		DeliveryMode: amqp.Persistent, ReplyTo: q.Name, CorrelationId: id, Body: []byte(body)})
	if err != nil {
		return a, err
	}
	select {
	case d, ok := <-answers:
		if !ok {
			return a, errors.New("the connection was lost")
		}
		var e struct{ Data answer }
		err := json.Unmarshal(d.Body, &e)
		return e.Data, err
	case <-ctx.Done():
		return a, ctx.Err()
	}
}

// clearBroker removes the queues that an earlier test has left.
func clearBroker(broker string) error {
	conn, err := amqp.Dial(broker)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	names := []string{"vivarium.commands", "vivarium.runners", "vivarium.logs", "vivarium.dead",
		"vivarium.tasks.default", "vivarium.tasks.tofu", "vivarium.tasks.odd"}
	for n := range 16 {
		names = append(names, fmt.Sprint("vivarium.partitions.", n))
	}
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := ch.QueueDelete(name, false, false, false); err != nil {
			return fmt.Errorf("delete %s: %w", name, err)
		}
	}
	return nil
}
