package initialise

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// DerivedName is the name of the kind that makes secrets of the cluster's key.
const DerivedName = "derived_secret"

// The forms of a secret.
const (
	formText   = "text"   // letters and digits
	formUUID   = "uuid"   // as Consul's tokens are
	formBase64 = "base64" // of 32 bytes, as Consul's gossip key is
)

const (
	shortest, usual, longest = 16, 32, 128
	alphabet                 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// derived makes secrets of the cluster's key, the environment and the step, so that they need be kept nowhere: an
// attempt that was cut off, a restart, and whoever has the same key come to the same.
type derived struct{ o Options }

type derivedBlock struct {
	Form   string `json:"form"`
	Length int    `json:"length"`
	// Rotate is any text; another one makes another secret.
	Rotate string `json:"rotate"`
}

// Kind is a block with the form of the secret.
func (*derived) Kind() template.Kind {
	return kindOf(DerivedName, hcldec.ObjectSpec{
		"form": optional("form"), "length": &hcldec.AttrSpec{Name: "length", Type: cty.Number}, "rotate": optional("rotate"),
	}, map[string]template.Output{
		"value": {Type: cty.String, Sensitive: true, Description: "The secret, the same for as long as the cluster's key and the block stay the same."},
	})
}

// Traceless says that nothing of it is anywhere.
func (*derived) Traceless() {}

// Apply works the secret out.
func (d *derived) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.From(err)
	}
	value, err := d.value(r)
	if err != nil {
		return nil, err
	}
	return executor.Outputs{"value": {Value: value, Sensitive: true}}, nil
}

// value is the secret as JSON.
func (d *derived) value(r executor.Request) (json.RawMessage, error) {
	b, err := readDerived(r)
	if err != nil {
		return nil, err
	}
	box := d.o.Key()
	if box == nil {
		return nil, fault.New(fault.Retry, fault.SecretUnavailable, "the runner has no key of its cluster yet; it gets one from the server that welcomes it")
	}
	seed := box.MAC(DerivedName, fmt.Appendf(nil, "%s\x00%s\x00%s", r.Environment, r.Step, b.Rotate))
	text, err := b.make(seed)
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Internal, "the secret of %s can't be worked out", r.Step)
	}
	return json.Marshal(text)
}

func readDerived(r executor.Request) (b derivedBlock, err error) {
	if err := read(r, DerivedName, &b); err != nil {
		return b, err
	}
	if b.Form == "" {
		b.Form = formText
	}
	if b.Length == 0 {
		b.Length = usual
	}
	switch {
	case b.Form != formText && b.Form != formUUID && b.Form != formBase64:
		return b, fault.New(fault.GiveUp, fault.Invalid, "form of %s has to be %s, %s or %s", r.Step, formText, formUUID, formBase64)
	case b.Length < shortest || b.Length > longest:
		return b, fault.New(fault.GiveUp, fault.Invalid, "length of %s has to be from %d to %d", r.Step, shortest, longest)
	}
	return b, nil
}

func (b derivedBlock) make(seed []byte) (string, error) {
	const enough = 4 * longest
	stream, err := hkdf.Expand(sha256.New, seed, b.Form, enough)
	if err != nil {
		return "", err
	}
	switch b.Form {
	case formUUID:
		stream[6], stream[8] = stream[6]&0x0f|0x40, stream[8]&0x3f|0x80
		return fmt.Sprintf("%x-%x-%x-%x-%x", stream[0:4], stream[4:6], stream[6:8], stream[8:10], stream[10:16]), nil
	case formBase64:
		return base64.StdEncoding.EncodeToString(stream[:32]), nil
	}
	text := make([]byte, 0, b.Length)
	for _, c := range stream { // what is beyond the last whole alphabet is left out, so that no letter is likelier
		if len(text) < b.Length && int(c) < 256/len(alphabet)*len(alphabet) {
			text = append(text, alphabet[int(c)%len(alphabet)])
		}
	}
	return string(text), nil
}

// Destroy has nothing to do.
func (*derived) Destroy(ctx context.Context, _ executor.Request) error {
	if err := ctx.Err(); err != nil {
		return fault.From(err)
	}
	return nil
}

// Observe can't tell: nothing was made.
func (*derived) Observe(context.Context, executor.Request) (event.Observation, error) {
	return event.Observation{Presence: event.PresenceUnknown}, nil
}

// Plan tells whether it would be another one.
func (d *derived) Plan(_ context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	plan := event.Plan{Change: event.ChangeNone}
	switch {
	case verb == event.Destruct:
		return executor.Plan{Plan: plan}, nil // nothing is anywhere
	case len(r.Unknown) > 0:
		plan.Change, plan.Until = event.ChangeUnknown, r.Until()
		return executor.Plan{Plan: plan}, nil
	}
	value, err := d.value(r)
	if err != nil {
		return executor.Plan{}, err
	}
	var last struct {
		Value json.RawMessage `json:"value"`
	}
	switch {
	case r.Outputs == nil || json.Unmarshal(r.Outputs, &last) != nil:
		plan.Change = event.ChangeCreate
	case string(last.Value) != string(value):
		plan.Change = event.ChangeUpdate
		plan.Differences = []event.Difference{{Path: "value", Change: event.ChangeUpdate, Before: secret.Shown, After: secret.Shown, Sensitive: true}}
	}
	return executor.Plan{Plan: plan}, nil
}
