package nats

import (
	"slices"
	"strconv"
	"strings"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Headers of a message. Reply-To and Correlation-Id are what a client that is not ours sets, too.
const (
	HeaderID            = "Message-Id"
	HeaderType          = "Message-Type"
	HeaderContentType   = "Content-Type"
	HeaderCorrelationID = "Correlation-Id"
	HeaderReplyTo       = "Reply-To"
	// HeaderExpires is how many milliseconds a message may wait to be taken.
	HeaderExpires = "Expires-Milliseconds"

	headerTTL = "Nats-TTL"
)

// route tells what a message's subject is, and whether JetStream keeps it.
func route(to bus.Address) (subject string, stored bool, err error) {
	switch {
	case to.Exchange == "":
		subject, stored = to.Key, streamOf(to.Key) != ""
	case slices.Contains(driver.Exchanges, to.Exchange):
		subject, stored = to.Exchange, to.Exchange == bus.Commands || to.Exchange == bus.Events
		if to.Key != "" {
			subject += "." + to.Key
		}
	default:
		return "", false, fault.New(fault.GiveUp, fault.NotFound, "there is no exchange %q on the bus", to.Exchange)
	}
	if !validSubject(subject) {
		return "", false, fault.New(fault.Reject, fault.Invalid, "%.300q is no address for a message", subject)
	}
	return subject, stored, nil
}

func validSubject(s string) bool {
	if s == "" || len(s) > 2*driver.MaxShort {
		return false
	}
	for token := range strings.SplitSeq(s, ".") {
		if token == "" || token == "*" || token == ">" {
			return false
		}
	}
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f })
}

// check refuses what can't be carried: a header's name has to be one of NATS, too.
func check(m *bus.Message) error {
	if err := driver.Check(m); err != nil {
		return err
	}
	for name := range m.Headers {
		if strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c == ':' || c >= 0x7f }) {
			return fault.New(fault.Reject, fault.Invalid, "%.300q is no name for a header", name)
		}
	}
	return nil
}

// encode makes what is published.
func encode(m *bus.Message, subject string, stored bool) *client.Msg {
	n := &client.Msg{Subject: subject, Data: m.Body, Header: make(client.Header, 6+len(m.Headers))}
	for name, value := range map[string]string{
		HeaderID: m.ID, HeaderType: m.Type, HeaderContentType: m.ContentType, HeaderCorrelationID: m.CorrelationID, HeaderReplyTo: m.ReplyTo,
	} {
		if value != "" {
			n.Header[name] = []string{value}
		}
	}
	for k, v := range m.Headers {
		n.Header[k] = []string{v}
	}
	if !stored {
		return n
	}
	// Ids count per subject, since what goes to two queues may have one id. Commands are left out: one that comes twice is
	// answered twice.
	if m.ID != "" && m.To.Exchange != bus.Commands && m.To.Key != bus.Commands {
		n.Header[client.MsgIdHdr] = []string{subject + "|" + m.ID}
	}
	if m.Expires > 0 {
		ms := max(1, m.Expires.Milliseconds())
		n.Header[HeaderExpires] = []string{strconv.FormatInt(ms, 10)}
		if m.To.Exchange != bus.Events {
			// The server counts in seconds, and for whoever comes later; the consumer looks at the exact time.
			n.Header[headerTTL] = []string{strconv.FormatInt((ms+999)/1000, 10) + "s"}
		}
	}
	return n
}

// decode makes a message of one from anybody.
func decode(n *client.Msg) *bus.Message {
	m := &bus.Message{To: addressOf(n.Subject), Body: n.Data}
	for k, v := range n.Header {
		if len(v) == 0 {
			continue
		}
		switch k {
		case HeaderID:
			m.ID = v[0]
		case HeaderType:
			m.Type = v[0]
		case HeaderContentType:
			m.ContentType = v[0]
		case HeaderCorrelationID:
			m.CorrelationID = v[0]
		case HeaderReplyTo:
			m.ReplyTo = v[0]
		case HeaderExpires:
			ms, _ := strconv.ParseInt(v[0], 10, 64)
			m.Expires = max(0, time.Duration(ms)*time.Millisecond)
		case client.MsgIdHdr:
			if m.ID == "" {
				m.ID = v[0] // of a client that is not ours; HeaderID takes its place if it is there
			}
		default:
			if !strings.HasPrefix(k, "Nats-") {
				if m.Headers == nil {
					m.Headers = make(map[string]string, len(n.Header))
				}
				m.Headers[k] = v[0]
			}
		}
	}
	if id := n.Header[HeaderID]; len(id) > 0 {
		m.ID = id[0]
	}
	return m
}

func addressOf(subject string) bus.Address {
	for _, exchange := range driver.Exchanges {
		if key, ok := strings.CutPrefix(subject, exchange+"."); ok {
			return bus.Address{Exchange: exchange, Key: key}
		}
		if subject == exchange && exchange != bus.Commands {
			return bus.Address{Exchange: exchange}
		}
	}
	return bus.Address{Key: subject}
}
