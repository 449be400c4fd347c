package lang

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// maxExponent bounds numbers, which cty writes out digit by digit: 1e999999999 would fill the memory. Binary digits.
const maxExponent = 4096

// Encoder writes values as JSON.
type Encoder struct {
	// Secret replaces the JSON of a sensitive value.
	Secret func(json.RawMessage) json.RawMessage
	// Unknown gives the JSON of what is not known yet; nil makes that an error.
	Unknown func(cty.Value) json.RawMessage
}

// ErrUnknown is returned for a value that is not known, by an Encoder without Unknown.
var ErrUnknown = errors.New("the value is not known yet")

// Encode writes one value. An unknown value within a sensitive one counts as unknown.
func (e Encoder) Encode(v cty.Value) (json.RawMessage, error) {
	var out bytes.Buffer
	err := e.write(&out, v)
	return out.Bytes(), err
}

func (e Encoder) write(out *bytes.Buffer, v cty.Value) error {
	switch {
	case !v.IsKnown():
		if e.Unknown == nil {
			return ErrUnknown
		}
		out.Write(e.Unknown(v))
		return nil
	case v.HasMark(Sensitive):
		return e.secret(out, v)
	}
	v, _ = v.Unmark()
	t := v.Type()
	switch {
	case v.IsNull():
		out.WriteString("null")
	case t == cty.String, t == cty.Bool, t == cty.Number:
		return writePrimitive(out, v)
	case t.IsObjectType(), t.IsMapType():
		return e.writeObject(out, v)
	case t.IsTupleType(), t.IsListType(), t.IsSetType():
		return e.writeList(out, v)
	default:
		return fmt.Errorf("a value of type %s can't be written as JSON", t.FriendlyName())
	}
	return nil
}

func (e Encoder) secret(out *bytes.Buffer, v cty.Value) error {
	if e.Unknown != nil && !v.IsWhollyKnown() {
		out.Write(e.Unknown(v))
		return nil
	}
	plain, _ := v.UnmarkDeep()
	data, err := Encoder{}.Encode(plain)
	if err == nil {
		out.Write(e.Secret(data))
	}
	return err
}

func writePrimitive(out *bytes.Buffer, v cty.Value) error {
	if v.Type() == cty.Number {
		f := v.AsBigFloat()
		if exp := f.MantExp(nil); f.IsInf() || exp > maxExponent || exp < -maxExponent {
			return errors.New("a number is too large or too small")
		}
		if n, exact := f.Int64(); exact == big.Exact { // which most numbers are, and big.Float takes long to write
			out.Write(strconv.AppendInt(out.AvailableBuffer(), n, 10))
			return nil
		}
	}
	data, err := ctyjson.Marshal(v, v.Type())
	out.Write(data)
	return err
}

func (e Encoder) writeObject(out *bytes.Buffer, v cty.Value) error {
	out.WriteByte('{')
	first := true
	for it := v.ElementIterator(); it.Next(); {
		key, member := it.Element()
		if !first {
			out.WriteByte(',')
		}
		first = false
		name, err := json.Marshal(key.AsString())
		if err != nil {
			return err
		}
		out.Write(name)
		out.WriteByte(':')
		if err := e.write(out, member); err != nil {
			return fmt.Errorf("%s: %w", key.AsString(), err)
		}
	}
	out.WriteByte('}')
	return nil
}

func (e Encoder) writeList(out *bytes.Buffer, v cty.Value) error {
	out.WriteByte('[')
	first := true
	for it := v.ElementIterator(); it.Next(); {
		_, member := it.Element()
		if !first {
			out.WriteByte(',')
		}
		first = false
		if err := e.write(out, member); err != nil {
			return err
		}
	}
	out.WriteByte(']')
	return nil
}

// Decode reads JSON as a value of a type constraint, filling in the defaults of optional attributes. The error says
// what is wrong and shows nothing of the value.
func Decode(data json.RawMessage, t cty.Type, defaults *typeexpr.Defaults) (cty.Value, error) {
	if err := checkJSON(data); err != nil {
		return cty.DynamicVal, err
	}
	implied, err := ctyjson.ImpliedType(data)
	if err != nil {
		return cty.DynamicVal, errors.New("it is not JSON")
	}
	v, err := ctyjson.Unmarshal(data, implied)
	if err != nil {
		return cty.DynamicVal, errors.New("it is not JSON")
	}
	return Convert(v, t, defaults)
}

// Convert makes a value fit a type constraint, filling in the defaults of optional attributes.
func Convert(v cty.Value, t cty.Type, defaults *typeexpr.Defaults) (cty.Value, error) {
	if defaults != nil {
		v = defaults.Apply(v)
	}
	fits, err := convert.Convert(v, t)
	if err != nil {
		return cty.DynamicVal, fmt.Errorf("%s", PathError(err))
	}
	return fits, nil
}

// PathError is the message of a conversion's error, with where in the value it was met.
func PathError(err error) string {
	var at cty.PathError
	if !errors.As(err, &at) || len(at.Path) == 0 {
		return err.Error()
	}
	var where strings.Builder
	for _, step := range at.Path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			where.WriteString("." + s.Name)
		case cty.IndexStep:
			switch {
			case s.Key.IsKnown() && s.Key.Type() == cty.String:
				fmt.Fprintf(&where, "[%q]", s.Key.AsString())
			case s.Key.IsKnown() && s.Key.Type() == cty.Number:
				fmt.Fprintf(&where, "[%s]", s.Key.AsBigFloat().Text('f', 0))
			}
		}
	}
	return strings.TrimPrefix(where.String(), ".") + ": " + err.Error()
}

// checkJSON refuses trailing text and numbers whose digits would not fit into memory.
func checkJSON(data json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var whole json.RawMessage
	if err := dec.Decode(&whole); err != nil {
		return errors.New("it is not JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text behind the JSON value")
	}
	dec = json.NewDecoder(bytes.NewReader(whole))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return nil //nolint:nilerr // the end: the text as a whole was read above
		}
		if n, ok := token.(json.Number); ok && !sane(string(n)) {
			return errors.New("a number is too large or too small")
		}
	}
}

// sane tells whether a decimal number has an exponent that a computer should write out.
func sane(number string) bool {
	at := strings.IndexAny(number, "eE")
	if at < 0 {
		return len(number) <= maxExponent
	}
	exp, err := strconv.Atoi(number[at+1:])
	return err == nil && exp <= 400 && exp >= -400
}
