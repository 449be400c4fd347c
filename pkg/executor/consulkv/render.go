package consulkv

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// MaxValue is how many bytes Consul takes as one value unless it is configured otherwise.
const MaxValue = 512 << 10

// wanted are the values to be, by full key.
type wanted map[string][]byte

// render makes the values, or says what is wrong with the block; a null is a key that is not there.
func (b block) render(r executor.Request) (wanted, error) {
	keys, err := b.valid(r)
	if err != nil {
		return nil, err
	}
	want := make(wanted, len(keys))
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		key := b.place().folder() + name
		value, there, err := b.value(keys[name])
		switch {
		case err != nil:
			return nil, fault.New(fault.GiveUp, fault.Invalid, "the value of the key %q of %s can't be read", r.Mask(key), r.Step)
		case len(value) > MaxValue:
			return nil, fault.New(fault.GiveUp, fault.Invalid,
				"the value of the key %q of %s has %d bytes; Consul takes at most %d: split it, or keep it elsewhere and store where",
				r.Mask(key), r.Step, len(value), MaxValue)
		case there:
			want[key] = value
		}
	}
	return want, nil
}

// value is the text of a value: the same for the same value, however its JSON was written.
func (b block) value(raw json.RawMessage) (text []byte, there bool, err error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // digits stay as they are
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, false, err
	}
	if v == nil {
		return nil, false, nil
	}
	if s, ok := v.(string); ok && b.Format != formatJSON {
		return []byte(s), true, nil
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, false, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), true, nil
}
