package sqlite

import "github.com/vivarium-env/vivarium/pkg/store"

const (
	defaultPage = 100
	maxPage     = 1000
)

func (s *Store) cursor(list []string, position any) (string, error) {
	return s.key.Make(list, position)
}

// resume reads a cursor's position; an empty cursor leaves it alone.
func (s *Store) resume(list []string, cursor string, position any) error {
	return s.key.Read(list, cursor, position)
}

// pageLimit is the number of records in a page.
func pageLimit(p store.Page) int {
	if p.Limit <= 0 {
		return defaultPage
	}
	return min(p.Limit, maxPage)
}
