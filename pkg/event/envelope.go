package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// ContentType is that of a CloudEvent in structured JSON mode (CloudEvents 1.0, JSON event format, section 3).
const ContentType = "application/cloudevents+json"

// SpecVersion is the version of CloudEvents that Vivarium speaks.
const SpecVersion = "1.0"

// TypePrefix begins every type of Vivarium; TypeSuffix is the version that ends it.
const (
	TypePrefix = "vivarium."
	TypeSuffix = ".v1"
)

// Envelope is a CloudEvent. Attributes that are empty are not written. Extension names follow CloudEvents'
// naming (lower case letters and digits).
type Envelope struct {
	SpecVersion     string          `json:"specversion" jsonschema:"const=1.0"`
	ID              string          `json:"id" jsonschema:"minLength=1"`
	Source          string          `json:"source" jsonschema:"minLength=1"`
	Type            string          `json:"type" jsonschema:"minLength=1"`
	Subject         string          `json:"subject,omitempty"`
	Time            *time.Time      `json:"time,omitempty"`
	DataContentType string          `json:"datacontenttype,omitempty"`
	DataSchema      string          `json:"dataschema,omitempty"`
	TraceParent     string          `json:"traceparent,omitempty"`
	TraceState      string          `json:"tracestate,omitempty"`
	Partition       *int            `json:"partition,omitempty"`
	Sequence        string          `json:"sequence,omitempty"`
	Epoch           *uint64         `json:"epoch,omitempty"`
	CorrelationID   string          `json:"correlationid,omitempty"`
	CausationID     string          `json:"causationid,omitempty"`
	Data            json.RawMessage `json:"data,omitempty"`
}

// TypeOf makes the CloudEvents type of a name such as "environment.create".
func TypeOf(name string) string { return TypePrefix + name + TypeSuffix }

// NameOf is the inverse of TypeOf; ok is false for a type that is not Vivarium's or of another version.
func NameOf(typ string) (name string, ok bool) {
	name, ok = strings.CutPrefix(typ, TypePrefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, TypeSuffix)
}

// Decode reads an envelope. What is not UTF-8 JSON of a CloudEvent 1.0 is Unreadable: it goes to the dead
// letters, since nobody can be answered. Extension attributes that Vivarium does not know are ignored, as
// CloudEvents asks.
func Decode(body []byte) (Envelope, error) {
	var e Envelope
	if !utf8.Valid(body) {
		return e, fault.New(fault.Reject, fault.Unreadable, "the message is not UTF-8; publish a CloudEvent as %s", ContentType)
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return e, fault.Wrap(err, fault.Reject, fault.Unreadable, "the message is not a JSON CloudEvent; publish it as %s", ContentType)
	}
	for name, value := range map[string]string{"id": e.ID, "source": e.Source, "type": e.Type} {
		if value == "" {
			return e, fault.New(fault.Reject, fault.Unreadable, "the CloudEvent has no %q", name)
		}
	}
	if e.SpecVersion != SpecVersion {
		return e, fault.New(fault.Reject, fault.Unreadable, "the CloudEvent has specversion %q; %s is understood", e.SpecVersion, SpecVersion)
	}
	return e, nil
}

// Encode writes the envelope.
func (e Envelope) Encode() []byte {
	data, err := json.Marshal(e)
	if err != nil {
		panic(fmt.Sprintf("event: an envelope of type %s can't be written: %v", e.Type, err)) // Data is always JSON made by us
	}
	return data
}

// DecodeData reads the data of an envelope into v and refuses unknown fields, wrong types and trailing text,
// naming the field.
func DecodeData(data json.RawMessage, v any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		data = json.RawMessage("{}")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	if err == nil {
		if _, trailing := dec.Token(); !errors.Is(trailing, io.EOF) {
			return fault.New(fault.Reject, fault.Invalid, "there is text behind the data object")
		}
		return nil
	}
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong) && wrong.Field == "":
		return fault.New(fault.Reject, fault.Invalid, "data has to be an object, not a %s", wrong.Value)
	case errors.As(err, &wrong):
		return fault.New(fault.Reject, fault.Invalid, "field %q can't be a %s", wrong.Field, wrong.Value)
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		// encoding/json has no type for this error; only the text, which its documentation fixes, tells it.
		return fault.New(fault.Reject, fault.UnknownField, "unknown field %s", strings.TrimPrefix(err.Error(), "json: unknown field "))
	default:
		return fault.Wrap(err, fault.Reject, fault.Invalid, "data can't be read: %v", err)
	}
}
