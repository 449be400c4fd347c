// Package memory holds a partition as whoever writes its journal has it in memory: the states of its environments, folded from
// snapshots and the entries behind them. The owner of a partition decides on it; a secondary folds what it is sent.
//
// What always holds: it is what the journal says up to Seq; what goes with entries into a batch (records and snapshots) depends on
// the entries alone, not on where they are cut into batches, but for when a checkpoint is made.
//
// Imports: environment, history and the port store.
package memory
