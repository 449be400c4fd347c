package backup_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// nameless says nothing of where it is, so that all processes of the fuzzer write the same file.
type nameless struct{ store.Store }

func (nameless) Info() store.Info { return store.Info{} }

// FuzzVerify: whatever is packed, it is the file that was written, or damaged.
func FuzzVerify(f *testing.F) {
	st := newStage(f, fresh(f))
	st.create("n0")
	file, _ := export(f, nameless{st.store})
	plain := unpacked(f, file)
	f.Add([]byte(plain))
	f.Add([]byte(`{"header":{"format":1,"partitions":1}}` + "\n" + `{"end":{"partition":0}}` + "\n" + `{"trailer":{}}` + "\n"))
	f.Add([]byte(`{"header":{"format":1,"partitions":1}}` + "\n" + `{"entry":{"seq":1,"type":"environment.created","data":{"nodes":[{}]}}}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := backup.Verify(t.Context(), bytes.NewReader(packed(t, string(text))), nil, nil)
		if string(text) == plain {
			require.NoError(t, err)
			return
		}
		require.True(t, fault.Is(err, backup.Damaged), "%v", err)
	})
}
