package consul

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	servers.StopSharedConsul()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintf(os.Stderr, "goroutines are left after the tests: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}
