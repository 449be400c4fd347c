package event

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestDecodeRefusesWhatIsNoCloudEvent(t *testing.T) {
	for name, body := range map[string]string{
		"no UTF-8":      "\xff\xfe\x00",
		"no JSON":       "hello",
		"a list":        "[]",
		"no id":         `{"specversion":"1.0","source":"s","type":"t"}`,
		"no source":     `{"specversion":"1.0","id":"1","type":"t"}`,
		"no type":       `{"specversion":"1.0","id":"1","source":"s"}`,
		"other version": `{"specversion":"0.3","id":"1","source":"s","type":"t"}`,
		"wrong type":    `{"specversion":"1.0","id":1,"source":"s","type":"t"}`,
	} {
		_, err := Decode([]byte(body))
		require.True(t, fault.Is(err, fault.Unreadable), "%s: %v", name, err)
	}
}

func TestEncodeDecode(t *testing.T) {
	p, epoch := 3, uint64(2)
	e := Envelope{SpecVersion: SpecVersion, ID: "a", Source: "s", Type: TypeOf(EnvironmentCreate), Subject: "notes",
		Partition: &p, Epoch: &epoch, Data: json.RawMessage(`{"templates":["notes"]}`)}
	got, err := Decode(e.Encode())
	require.NoError(t, err)
	require.Equal(t, e, got)
	name, ok := NameOf(got.Type)
	require.True(t, ok)
	require.Equal(t, EnvironmentCreate, name)
}

func TestNameOfOtherVersions(t *testing.T) {
	for _, typ := range []string{"vivarium.environment.create.v2", "com.example.created", "environment.create.v1", ""} {
		_, ok := NameOf(typ)
		require.False(t, ok, typ)
	}
}

func TestDecodeDataNamesTheField(t *testing.T) {
	for data, want := range map[string]struct {
		code fault.Code
		text string
	}{
		`{"templates":["a"],"colour":1}`: {fault.UnknownField, `"colour"`},
		`{"templates":"a"}`:              {fault.Invalid, `"templates"`},
		`{"fail_fast":"yes"}`:            {fault.Invalid, `"fail_fast"`},
		`{"destroy_at":"tomorrow"}`:      {fault.Invalid, "can't be read"},
		`[]`:                             {fault.Invalid, "array"},
		`{"templates":["a"]} {}`:         {fault.Invalid, "behind"},
		`{"templates":`:                  {fault.Invalid, "can't be read"},
	} {
		var c Create
		err := DecodeData(json.RawMessage(data), &c)
		require.True(t, fault.Is(err, want.code), "%s: %v", data, err)
		require.ErrorContains(t, err, want.text)
	}
	var d Destroy
	require.NoError(t, DecodeData(nil, &d), "a command without data has the defaults")
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"vivarium.environment.create.v1","data":{"templates":["a"]}}`))
	f.Add([]byte{0, 1, 2, 255})
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := Decode(body)
		if err != nil {
			var fe *fault.Error
			require.True(t, errors.As(err, &fe))
			require.Equal(t, fault.Reject, fe.Disposition)
			return
		}
		var c Create
		_ = DecodeData(e.Data, &c)
		again, err := Decode(e.Encode())
		require.NoError(t, err)
		require.Equal(t, e.ID, again.ID)
	})
}
