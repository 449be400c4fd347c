package arango

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serverURL names a real server for the tests, such as arangodb://root:secret@127.0.0.1:8529/any. The database in it is
// not used: each test has one of its own.
const serverURL = "VIVARIUM_TEST_ARANGODB"

// place is one database.
type place struct{ options Options }

func (p place) Open(t *testing.T) store.Store {
	t.Helper()
	s, err := Open(t.Context(), p.options)
	require.NoError(t, err)
	return s
}

// TestContractOnStandIn checks the driver's own part of the contract: what it sends, keeps and makes of answers.
func TestContractOnStandIn(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Reopener { return place{newStandIn(t).options()} })
}

// TestContract runs on a real server.
func TestContract(t *testing.T) {
	o := realServer(t)
	n := 0
	storetest.Run(t, func(t *testing.T) storetest.Reopener {
		n++
		return place{freshDatabase(t, o, n)}
	})
}

// realServer are the options of the server that the tests were given. Without one the test passes, and says so.
func realServer(t *testing.T) Options {
	address := os.Getenv(serverURL)
	if address == "" {
		line := strings.Repeat("=", 100)
		t.Skipf("\n%s\nNOT RUN ON A REAL ARANGODB: %s is not set. Set it to arangodb://USER:PASSWORD@HOST:8529/any, or run make test-arangodb.\n%s",
			line, serverURL, line)
	}
	o, err := ParseURL(address)
	require.NoError(t, err)
	return o
}

// freshDatabase is one that is dropped when the test is over.
func freshDatabase(t *testing.T, o Options, n int) Options {
	o.Database = fmt.Sprintf("vivarium_test_%d_%d", time.Now().UnixNano(), n)
	t.Cleanup(func() {
		s, err := Open(t.Context(), o)
		if err == nil {
			_ = s.db.Remove(t.Context())
			_ = s.Close()
		}
	})
	return o
}
