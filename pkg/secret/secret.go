package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/nacl/box"
)

// KeySize is the size of a cluster key in bytes (AES-256).
const KeySize = 32

// Field is the only key of a sealed leaf's object.
const Field = "$sealed"

// Shown stands for a sealed value wherever somebody looks.
const Shown = "(sensitive)"

const version = "v1."

// Box seals and opens values with one key. It is safe for concurrent use.
type Box struct {
	key  []byte
	aead cipher.AEAD
}

// NewBox makes a Box of a key of KeySize bytes.
func NewBox(key []byte) (*Box, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("a cluster key has %d bytes, this one has %d", KeySize, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Box{key: append([]byte(nil), key...), aead: aead}, nil
}

// NewKey draws a fresh cluster key.
func NewKey() ([]byte, error) {
	key := make([]byte, KeySize)
	_, err := rand.Read(key)
	return key, err
}

// LoadKey reads the base64 key of a file, and makes the file (mode 0600) with a fresh key where there is none.
func LoadKey(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return createKey(file)
	}
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("%s does not hold a base64 key of %d bytes", file, KeySize)
	}
	return key, nil
}

func createKey(file string) ([]byte, error) {
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	// Written whole or not at all: a key cut short by a crash would lock every secret away.
	return key, WriteFile(file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"))
}

// MAC is a keyed hash of data (HMAC-SHA256, 32 bytes): the same data has the same, and who lacks the key can't try out what it
// was made of. Purposes have hashes, and keys, of their own.
func (b *Box) MAC(purpose string, data []byte) []byte {
	derive := hmac.New(sha256.New, b.key)
	_, _ = derive.Write([]byte("mac:" + purpose))
	mac := hmac.New(sha256.New, derive.Sum(nil))
	_, _ = mac.Write(data)
	return mac.Sum(nil)
}

// SealBytes encrypts bytes; every call gives another text.
func (b *Box) SealBytes(plain []byte) string { return b.seal(plain, nil) }

// SealFor is SealBytes for one place: what was put into another's place does not open there. A place is named by parts
// of which only the last may have a NUL in it.
func (b *Box) SealFor(plain []byte, place ...string) string { return b.seal(plain, bound(place)) }

func bound(place []string) []byte { return []byte(strings.Join(place, "\x00")) }

func (b *Box) seal(plain, place []byte) string {
	nonce := make([]byte, b.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		panic(err) // crypto/rand never fails on supported systems (Go 1.24 and later crash by themselves)
	}
	return version + base64.RawURLEncoding.EncodeToString(b.aead.Seal(nonce, nonce, plain, place))
}

// OpenBytes is the inverse of SealBytes; it fails on what another key sealed and on what was altered.
func (b *Box) OpenBytes(text string) ([]byte, error) { return b.open(text, nil) }

// OpenFor is the inverse of SealFor.
func (b *Box) OpenFor(text string, place ...string) ([]byte, error) {
	return b.open(text, bound(place))
}

func (b *Box) open(text string, place []byte) ([]byte, error) {
	raw, ok := strings.CutPrefix(text, version)
	if !ok {
		return nil, errors.New("not a sealed value of a known version")
	}
	data, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil || len(data) < b.aead.NonceSize() {
		return nil, errors.New("a sealed value is cut short or altered")
	}
	plain, err := b.aead.Open(nil, data[:b.aead.NonceSize()], data[b.aead.NonceSize():], place)
	if err != nil {
		return nil, errors.New("a sealed value was altered, or sealed with another cluster's key or for another place")
	}
	return plain, nil
}

// Seal makes the sealed JSON leaf of a JSON value.
func (b *Box) Seal(value json.RawMessage) json.RawMessage {
	leaf, _ := json.Marshal(map[string]string{Field: b.SealBytes(value)})
	return leaf
}

// Open replaces every sealed leaf of a JSON document by its value, and returns the strings found in them, so
// that a log can be masked.
func (b *Box) Open(doc json.RawMessage) (open json.RawMessage, secrets []string, err error) {
	if !strings.Contains(string(doc), `"`+Field+`"`) {
		return doc, nil, nil
	}
	open, err = walk(doc, func(text string) (json.RawMessage, error) {
		plain, err := b.OpenBytes(text)
		if err == nil {
			secrets = append(secrets, leaves(plain)...)
		}
		return plain, err
	})
	return open, secrets, err
}

// Show replaces every sealed leaf by Shown.
func Show(doc json.RawMessage) json.RawMessage {
	if !strings.Contains(string(doc), `"`+Field+`"`) {
		return doc
	}
	shown, err := walk(doc, func(string) (json.RawMessage, error) { return json.RawMessage(`"` + Shown + `"`), nil })
	if err != nil {
		return json.RawMessage(`"` + Shown + `"`)
	}
	return shown
}

// Sealed returns the sealed text when doc is exactly one sealed leaf.
func Sealed(doc json.RawMessage) (string, bool) {
	var m map[string]json.RawMessage
	if json.Unmarshal(doc, &m) != nil || len(m) != 1 {
		return "", false
	}
	var text string
	return text, m[Field] != nil && json.Unmarshal(m[Field], &text) == nil
}

// Wrap encrypts the box's key so that only the owner of the public key (X25519) reads it: how a runner that
// has nothing but the bus's address gets it.
func (b *Box) Wrap(public *[32]byte) ([]byte, error) {
	return box.SealAnonymous(nil, b.key, public, rand.Reader)
}

// KeyPair makes the pair whose public half a runner announces.
func KeyPair() (public, private *[32]byte, err error) { return box.GenerateKey(rand.Reader) }

// Unwrap is the inverse of Wrap.
func Unwrap(wrapped []byte, public, private *[32]byte) (*Box, error) {
	key, err := UnwrapKey(wrapped, public, private)
	if err != nil {
		return nil, err
	}
	return NewBox(key)
}

// UnwrapKey is Unwrap for who has to keep the key: a secondary, which may have to take over.
func UnwrapKey(wrapped []byte, public, private *[32]byte) ([]byte, error) {
	key, ok := box.OpenAnonymous(nil, wrapped, public, private)
	if !ok || len(key) != KeySize {
		return nil, errors.New("the wrapped cluster key can't be opened with this key pair")
	}
	return key, nil
}

// ID tells a key from others without giving it away.
func (b *Box) ID() string { return hex.EncodeToString(b.MAC("key-id", nil)[:12]) }

func walk(doc json.RawMessage, open func(string) (json.RawMessage, error)) (json.RawMessage, error) {
	if text, ok := Sealed(doc); ok {
		return open(text)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(doc, &object) == nil && object != nil {
		for k, v := range object {
			w, err := walk(v, open)
			if err != nil {
				return nil, err
			}
			object[k] = w
		}
		return json.Marshal(object)
	}
	var list []json.RawMessage
	if json.Unmarshal(doc, &list) == nil && list != nil {
		for i, v := range list {
			w, err := walk(v, open)
			if err != nil {
				return nil, err
			}
			list[i] = w
		}
		return json.Marshal(list)
	}
	return doc, nil
}

func leaves(doc json.RawMessage) []string {
	var value any
	if json.Unmarshal(doc, &value) != nil {
		return nil
	}
	var found []string
	var visit func(any)
	visit = func(v any) {
		switch v := v.(type) {
		case string:
			found = append(found, v)
		case float64:
			found = append(found, strings.TrimSpace(string(mustJSON(v))))
		case []any:
			for _, e := range v {
				visit(e)
			}
		case map[string]any:
			for _, e := range v {
				visit(e)
			}
		}
	}
	visit(value)
	return found
}

func mustJSON(v any) []byte {
	data, _ := json.Marshal(v)
	return data
}
