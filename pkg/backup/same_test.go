package backup_test

import (
	"testing"

	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/storetest"
)

func samePicture(t testing.TB, want, got store.Store) {
	t.Helper()
	storetest.Same(t, partitions, want, got)
}
