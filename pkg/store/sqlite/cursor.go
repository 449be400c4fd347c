package sqlite

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	signatureSize = 16
	defaultPage   = 100
	maxPage       = 1000
)

// Cursors hold the key of the last record that was listed, so they stay right whatever is added, changed or
// removed: the list goes on behind that key. They are signed together with the list they belong to, so that only
// cursors this store gave for this very list are taken; the key is in the file and survives restarts.

func (s *Store) cursor(list []string, position any) (string, error) {
	text, err := json.Marshal(position)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(s.sign(list, text), text...)), nil
}

// resume reads a cursor's position; an empty cursor leaves it alone.
func (s *Store) resume(list []string, cursor string, position any) error {
	if cursor == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	// The decoder skips line ends, which no cursor has.
	if err != nil || len(raw) < signatureSize || strings.ContainsAny(cursor, "\r\n") {
		return store.ErrCursor
	}
	signature, text := raw[:signatureSize], raw[signatureSize:]
	if !hmac.Equal(signature, s.sign(list, text)) {
		return store.ErrCursor
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(position); err != nil {
		return store.ErrCursor
	}
	return nil
}

func (s *Store) sign(list []string, text []byte) []byte {
	mac := hmac.New(sha256.New, s.key)
	scope, _ := json.Marshal(list) // strings always can be written
	mac.Write(scope)
	mac.Write([]byte{0})
	mac.Write(text)
	return mac.Sum(nil)[:signatureSize]
}

// pageLimit is the number of records in a page.
func pageLimit(p store.Page) int {
	if p.Limit <= 0 {
		return defaultPage
	}
	return min(p.Limit, maxPage)
}
