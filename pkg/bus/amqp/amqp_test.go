package amqp_test

import (
	"context"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/amqp"
	"github.com/vivarium-env/vivarium/pkg/bus/bustest"
	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// TestContract runs the suite on a real RabbitMQ.
func TestContract(t *testing.T) {
	bustest.Run(t, func(t *testing.T) bustest.Broker {
		broker := servers.SharedRabbitMQ(t)
		return bustest.Broker{
			Address: broker.Address(),
			Dial: func(ctx context.Context, address string) (bus.Bus, error) {
				url := broker.URL()
				if address != "" {
					url = strings.Replace(url, broker.Address(), address, 1)
				}
				return amqp.Dial(ctx, amqp.Options{URL: url, Name: "bustest"})
			},
			Stop:  broker.Stop,
			Kill:  func(context.Context) error { return broker.Kill() },
			Start: broker.Start,
			Plain: func(ctx context.Context, key string, body []byte, answers chan<- []byte) (func(), error) {
				return plainClient(ctx, broker.URL(), key, body, answers)
			},
		}
	})
}

// plainClient is what any AMQP program does: it knows nothing of this driver.
func plainClient(ctx context.Context, url, key string, body []byte, answers chan<- []byte) (func(), error) {
	conn, err := amqp091.Dial(url)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	replies, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return nil, err
	}
	deliveries, err := ch.Consume(replies.Name, "", true, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for d := range deliveries {
			answers <- d.Body
		}
	}()
	err = ch.PublishWithContext(ctx, bus.Commands, key, false, false, amqp091.Publishing{
		ContentType: "application/cloudevents+json", ReplyTo: replies.Name, Body: body,
	})
	return func() { _ = conn.Close(); <-over }, err
}
