package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"math"
	"time"

	"github.com/vivarium-env/vivarium/pkg/store"
)

const defaultLimit = 1000

// query reads rows with a statement that is prepared once. Everything a reader sees comes from one statement and
// so from one state of the file.
func (s *Store) query(ctx context.Context, each func(*sql.Rows) error, text string, args ...any) error {
	prepared, err := s.statement(ctx, text)
	if err != nil {
		return s.readError(ctx, err)
	}
	rows, err := prepared.QueryContext(ctx, args...)
	if err != nil {
		return s.readError(ctx, err)
	}
	return s.each(ctx, rows, each)
}

// errEnough ends a reading early without an error.
var errEnough = errors.New("enough")

func (s *Store) each(ctx context.Context, rows *sql.Rows, each func(*sql.Rows) error) (err error) {
	defer func() { err = s.readError(ctx, errors.Join(err, rows.Close())) }()
	for rows.Next() {
		if err := each(rows); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *Store) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if kept, ok := s.statements.Load(text); ok {
		return kept.(*sql.Stmt), nil
	}
	prepared, err := s.read.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if kept, loaded := s.statements.LoadOrStore(text, prepared); loaded {
		return kept.(*sql.Stmt), prepared.Close()
	}
	return prepared, nil
}

// readError gives an interrupted reading the error of the context that interrupted it.
func (s *Store) readError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if s.writer.isClosed() {
		return errClosed
	}
	return s.asFault(err)
}

// Entries come in the order of seq; those of one seq in several partitions, which only a selection by environment
// can meet, in the order of partitions.
func (s *Store) Entries(ctx context.Context, q store.Selection) ([]store.Entry, error) {
	const columns = "SELECT id >> 48, " + entryFields + " FROM entries "
	low, high := int64(0), int64(math.MaxInt64)
	if q.Partition >= 0 && q.Partition <= maxPartition {
		low, high = int64(q.Partition)<<seqBits, int64(q.Partition)<<seqBits|maxSeq
	}
	after, limit := int64(min(q.After, maxSeq)), int64(q.Limit)
	if limit <= 0 {
		limit = defaultLimit
	}
	var found []store.Entry
	take := func(rows *sql.Rows) error {
		e, err := scanEntry(rows)
		found = append(found, e)
		return err
	}
	var err error
	switch {
	case q.Environment != "":
		err = s.query(ctx, take, columns+`WHERE environment = ? AND seq > ? AND id BETWEEN ? AND ?
			ORDER BY seq, id LIMIT ?`, q.Environment, after, low, high, limit)
	case high != math.MaxInt64:
		err = s.query(ctx, take, columns+"WHERE id > ? AND id <= ? ORDER BY id LIMIT ?", low+after, high, limit)
	}
	return found, err
}

// scanEntry reads a partition and entryFields.
func scanEntry(rows *sql.Rows) (e store.Entry, err error) {
	var at sql.NullInt64
	var data, chain sql.RawBytes
	err = rows.Scan(&e.Partition, &e.Environment, &e.Seq, &e.Type, &at, &e.Epoch, &e.Operation, &e.Causation, &e.TraceParent, &data, &chain)
	if at.Valid {
		e.Time = time.Unix(0, at.Int64).UTC()
	}
	if len(data) > 0 {
		e.Data = append([]byte(nil), data...)
	}
	e.Chain = hex.EncodeToString(chain)
	return e, err
}

// Head of a partition; zero before its first entry. Relayed is at once what this process was told; of what
// others were told it may be up to a second behind.
func (s *Store) Head(ctx context.Context, partition int) (store.Head, error) {
	head := store.Head{Partition: partition}
	var chain []byte
	err := s.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&head.Seq, &head.Relayed, &chain) },
		`SELECT p.seq, p.relayed, e.chain FROM partitions p LEFT JOIN entries e ON e.id = (p.partition << 48 | p.seq)
		WHERE p.partition = ?`, partition)
	head.Chain = hex.EncodeToString(chain)
	head.Relayed = max(head.Relayed, s.relayed.Of(partition))
	return head, err
}

// Relayed is kept in memory and written with the next transaction, at the latest after a second or by Close.
func (s *Store) Relayed(ctx context.Context, partition int, seq uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.writer.isClosed() {
		return errClosed
	}
	if s.relayed.Raise(partition, min(seq, maxSeq)) {
		s.writer.nudge()
	}
	return nil
}

// Snapshots of a partition, newest of each environment.
func (s *Store) Snapshots(ctx context.Context, partition int, environment string) ([]store.Snapshot, error) {
	var found []store.Snapshot
	take := func(rows *sql.Rows) error {
		shot := store.Snapshot{Partition: partition}
		err := rows.Scan(&shot.Environment, &shot.Seq, &shot.Data)
		found = append(found, shot)
		return err
	}
	const columns = "SELECT environment, seq, data FROM snapshots WHERE partition = ? "
	var err error
	if environment == "" {
		err = s.query(ctx, take, columns+"ORDER BY environment", partition)
	} else {
		err = s.query(ctx, take, columns+"AND environment = ?", partition, environment)
	}
	return found, err
}

// Epoch in force.
func (s *Store) Epoch(ctx context.Context) (epoch uint64, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&epoch) }, "SELECT value FROM meta WHERE key = 'epoch'")
	return epoch, err
}
