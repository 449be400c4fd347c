package build

import (
	"github.com/vivarium-env/vivarium/pkg/api/schema"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// amqpBinding is the version of the AMQP bindings.
const amqpBinding = "0.3.0"

// asyncAPI is the AsyncAPI 3.0 document of the bus, written from the side of the server.
//
// Payloads refer to the schema files without naming their format: AsyncAPI's own default reads all that the files use,
// while tools refuse formats that they have no parser for.
func asyncAPI(all []Message) schema.Object {
	return schema.Object{
		"asyncapi": "3.0.0",
		"id":       "urn:vivarium:bus",
		"info": schema.Object{
			"title":   "Vivarium on the message bus",
			"version": "v1",
			"description": "Commands go in, answers and events come out. Every message is a CloudEvent 1.0 in structured JSON mode. " +
				"The id of a command makes it idempotent: a command sent twice is taken once and answered twice. On NATS the " +
				"subject of a topic is exchange + \".\" + routing key, and that of a queue is its name.",
		},
		"defaultContentType": event.ContentType,
		"servers":            servers(),
		"channels":           channels(all),
		"operations":         operations(all),
		"components":         schema.Object{"messages": components(all)},
	}
}

func servers() schema.Object {
	server := func(host, protocol, description string) schema.Object {
		return schema.Object{"host": host, "protocol": protocol, "description": description}
	}
	return schema.Object{
		"rabbitmq":       server("localhost:5672", "amqp", "RabbitMQ"),
		"rabbitmqSecure": server("localhost:5671", "amqps", "RabbitMQ with TLS"),
		"nats":           server("localhost:4222", "nats", "NATS JetStream, also the one embedded in a server"),
	}
}

// components are the messages, each with its schema file and an example.
func components(all []Message) schema.Object {
	messages := schema.Object{}
	for _, m := range all {
		message := schema.Object{
			"name": event.TypeOf(m.Name), "title": m.Name, "contentType": event.ContentType,
			"payload":  ref("./" + m.File()),
			"bindings": schema.Object{"amqp": schema.Object{"messageType": event.TypeOf(m.Name), "bindingVersion": amqpBinding}},
			"examples": []any{schema.Object{"name": "example", "payload": Example(m)}},
		}
		if m.Kind == Command || m.Kind == Answer {
			message["correlationId"] = schema.Object{
				"location": "$message.header#/correlation_id", "description": "The answer has that of its command",
			}
		}
		messages[identifier(m.Name)] = message
	}
	return messages
}

// operations say what the server does with the channels.
func operations(all []Message) schema.Object {
	operations := schema.Object{}
	for _, c := range topology(all) {
		operation := schema.Object{
			"action": c.action, "channel": ref("#/channels/" + c.name), "summary": c.summary, "messages": c.messageRefs(),
		}
		if c.reply != "" {
			operation["reply"] = schema.Object{
				"address":  schema.Object{"location": "$message.header#/reply_to", "description": "AMQP property reply_to, or the reply subject of NATS"},
				"channel":  ref("#/channels/" + c.reply),
				"messages": replyRefs(c.reply, all),
			}
		}
		operations[c.action+identifier("."+c.name)] = operation
	}
	return operations
}

func ref(to string) schema.Object { return schema.Object{"$ref": to} }

func channels(all []Message) schema.Object {
	channels := schema.Object{}
	for _, c := range topology(all) {
		channels[c.name] = c.describe()
	}
	return channels
}
