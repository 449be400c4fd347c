package sqlite

import "context"

// Watch gets a value after each change: at once for this Store's commits, within a quarter of a second for those of
// others on the same file. Several changes may be one value; a value may come without a change. The channel is
// closed when ctx ends or the store is closed.
func (s *Store) Watch(ctx context.Context) <-chan struct{} {
	c := s.watchers.Watch(ctx)
	s.writer.nudge()
	return c
}
