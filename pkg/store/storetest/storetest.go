package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// Reopener is one place where data is kept. Each Open gives another handle on the same data, beside those that are
// open, or after a restart when they were closed. Run closes what it opens.
type Reopener interface {
	Open(t *testing.T) store.Store
}

// Run runs the contract; open gives a new, empty place for each test.
func Run(t *testing.T, open func(t *testing.T) Reopener) {
	t.Helper()
	for _, part := range [][]clause{journalClauses, readerClauses, graphClauses, logClauses} {
		for _, c := range part {
			t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
		}
	}
}

// clause is one test of the contract.
type clause struct {
	name string
	test func(*testing.T, Reopener)
}

// opened gives a handle that is closed when the test is over.
func opened(t *testing.T, place Reopener) store.Store {
	t.Helper()
	s := place.Open(t)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// reopened closes a handle and gives a new one.
func reopened(t *testing.T, s store.Store, place Reopener) store.Store {
	t.Helper()
	require.NoError(t, s.Close())
	return opened(t, place)
}

var journalClauses = []clause{
	{"empty", testEmpty},
	{"append and read back", testAppend},
	{"restart", testRestart},
	{"conflict", testConflict},
	{"gap", testGap},
	{"race of two handles", testRace},
	{"epoch", testEpoch},
	{"refused batch leaves nothing", testAtomic},
	{"refused batch beside others", testAtomicInGroup},
	{"batch without entries", testNoEntries},
	{"selection", testSelection},
	{"many partitions at once", testPartitions},
	{"relayed", testRelayed},
	{"chain", testChain},
	{"snapshots", testSnapshots},
	{"templates", testTemplates},
	{"states", testStates},
	{"states of what is made again", testStatesCreated},
	{"states of a refused batch", testStatesAtomic},
	{"set aside", testAside},
	{"set aside or refused", testAsideRefused},
	{"all set aside", testAsideWhole},
	{"secondaries", testSecondaries},
	{"secondaries at once", testSecondariesRace},
	{"watch", testWatch},
	{"watch from another handle", testWatchOther},
	{"watch ends", testWatchEnds},
	{"ended context", testContext},
	{"closed", testClosed},
	{"info", testInfo},
}

var readerClauses = []clause{
	{"records are written over", testUpsert},
	{"made again", testCreated},
	{"removed", testRemoved},
	{"not found", testNotFound},
	{"projection and journal agree", testConsistent},
	{"pages of environments", testEnvironmentPages},
	{"pages of resources", testResourcePages},
	{"pages of operations", testOperationPages},
	{"cursors while data changes", testCursorChanges},
	{"cursors of others", testCursorTampered},
	{"filter by status", testFilterStatus},
	{"filter by tags", testFilterTags},
	{"filter by template", testFilterTemplate},
	{"filter by text", testFilterText},
	{"filters together", testFilterTogether},
	{"filters follow changes", testFilterChanges},
	{"filter by health and drift", testFilterHealth},
	{"descriptions that change", testDescriptions},
	{"sorted", testSorted},
	{"sorted while data changes", testSortedChanges},
	{"hostile filters", testHostileFilters},
	{"hostile values", testHostileValues},
}

var graphClauses = []clause{
	{"walk", testWalk},
	{"walk of many ways", testWalkShapes},
	{"path", testPath},
	{"consumers", testConsumers},
	{"walks from nowhere", testGraphMissing},
	{"operations of one id", testOperationsApart},
	{"lineage", testLineage},
	{"what an origin made", testMade},
	{"search", testSearch},
	{"hostile search", testHostileSearch},
}

var logClauses = []clause{
	{"logs", testLogs},
	{"logs twice", testLogsTwice},
	{"logs overlap", testLogsOverlap},
	{"logs selection", testLogsSelection},
	{"logs of an attempt", testLogsAttempt},
	{"newest logs", testLogsNewest},
	{"logs restart", testLogsRestart},
	{"logs of what runs", testLogsOfWhatRuns},
	{"logs at once", testLogsConcurrent},
}
