package faults

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// rejoined: the old side is a secondary with the same journal, by its checksums, and what it alone had is set aside to the last entry.
func (p *pair) rejoined(t *testing.T, ctx context.Context, unsent uint64) {
	t.Helper()
	p.returned(t, ctx)
	require.NoError(t, until(ctx, "the journals are not the same", func() bool { return p.same(p.east) }), "%s", p.east.tail())
	require.Equal(t, unsent, p.setAside(t, p.east), "nothing is lost, and nothing is there twice")
	require.Zero(t, p.setAside(t, p.west))
}

// same tells whether a side follows the one that acts, and has the same journal.
func (p *pair) same(side *process) bool {
	here, there := p.stands(side), p.stands(p.west)
	return here.live() && len(here.Partitions) > 0 && slices.Equal(here.Partitions, there.Partitions)
}

// setAside counts the entries that a side keeps apart.
func (p *pair) setAside(t *testing.T, side *process) (count uint64) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(side.dir, "store.db")+"?_pragma=busy_timeout(20000)")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.NoError(t, db.QueryRow("SELECT count(*) FROM aside_entries").Scan(&count))
	return count
}
