package cursor

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/store"
)

const signatureSize = 16

// Key signs the cursors of one store. It is kept in the store, so that cursors survive restarts.
type Key []byte

// Make makes a cursor of a list at a position, which has to be JSON.
func (k Key) Make(list []string, position any) (string, error) {
	text, err := json.Marshal(position)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(k.sign(list, text), text...)), nil
}

// Read reads a cursor's position; an empty cursor leaves it alone. What this key did not sign is store.ErrCursor.
func (k Key) Read(list []string, cursor string, position any) error {
	if cursor == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	// The decoder skips line ends, which no cursor has.
	if err != nil || len(raw) < signatureSize || strings.ContainsAny(cursor, "\r\n") {
		return store.ErrCursor
	}
	signature, text := raw[:signatureSize], raw[signatureSize:]
	if !hmac.Equal(signature, k.sign(list, text)) {
		return store.ErrCursor
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(position); err != nil {
		return store.ErrCursor
	}
	return nil
}

func (k Key) sign(list []string, text []byte) []byte {
	mac := hmac.New(sha256.New, k)
	scope, _ := json.Marshal(list) // strings always can be written
	mac.Write(scope)
	mac.Write([]byte{0})
	mac.Write(text)
	return mac.Sum(nil)[:signatureSize]
}
