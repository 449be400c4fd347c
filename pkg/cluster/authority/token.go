package authority

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// TokenRefused: an operation token is none of this cluster, too old, or was used.
const TokenRefused fault.Code = "token-refused"

// tokenSize is epoch, expiry and a nonce, 8 bytes each, and a checksum.
const tokenSize = 24 + sha256.Size

// NewToken makes a token that lets somebody take over from the side that acts under an epoch, until it expires. It is signed
// with a key that both sides have, so it can be made on either and nothing of it is kept; it can be used once, since a
// takeover ends the epoch that it is for.
func NewToken(key []byte, epoch uint64, expires time.Time) string {
	text := make([]byte, 16, tokenSize)
	binary.BigEndian.PutUint64(text, epoch)
	binary.BigEndian.PutUint64(text[8:], uint64(expires.Unix())) //nolint:gosec // after 1970
	nonce := make([]byte, 8)
	_, _ = rand.Read(nonce) // never fails
	text = append(text, nonce...)
	return base64.RawURLEncoding.EncodeToString(append(text, seal(key, text)...))
}

func seal(key, text []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("vivarium/operation-token/1"))
	mac.Write(text)
	return mac.Sum(nil)
}

// CheckToken is nil where a token lets somebody take over from the side that acts under this epoch.
func CheckToken(key []byte, token string, epoch uint64, now time.Time) error {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(text) != tokenSize || !hmac.Equal(seal(key, text[:24]), text[24:]) {
		return fault.New(fault.Reject, TokenRefused, "this is no operation token of this cluster: make one with `vivarium cluster token`")
	}
	of, expires := binary.BigEndian.Uint64(text), time.Unix(int64(binary.BigEndian.Uint64(text[8:])), 0) //nolint:gosec // we made it
	switch {
	case of < epoch:
		return fault.New(fault.Reject, TokenRefused, "this operation token was for epoch %d, and epoch %d is in force: it was used, or somebody else took over; make a new one", of, epoch)
	case of > epoch:
		return fault.New(fault.Reject, TokenRefused, "this operation token is for epoch %d, and this side knows of epoch %d: it is behind the other one", of, epoch)
	case !now.Before(expires):
		return fault.New(fault.Reject, TokenRefused, "this operation token expired at %s: make a new one", expires.UTC().Format(time.RFC3339))
	}
	return nil
}
