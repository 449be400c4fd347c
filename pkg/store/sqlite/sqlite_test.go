package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
	"github.com/vivarium-env/vivarium/pkg/store/storetest"
)

// childPath is set for the copy of this program that TestKill starts and kills.
const childPath = "SQLITE_TEST_CHILD_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		if err := appendForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// file is a place of the contract: a path with everything in it that a name can be misread for.
type file string

func (f file) Open(t *testing.T) store.Store { return f.openFor(t) }

func (f file) openFor(t testing.TB) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: string(f)})
	require.NoError(t, err)
	return s
}

func newFile(t testing.TB) file {
	t.Helper()
	return file(filepath.Join(t.TempDir(), "a b?mode=memory#%20'é.db"))
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Reopener { return newFile(t) })
}
