package arango

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// keyOf makes a document key of parts that may be any text. Parts that are split otherwise have another key.
func keyOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// placeOf is a text in hexadecimal: the server sorts it by bytes, whatever its collation.
func placeOf(text string) string { return hex.EncodeToString([]byte(text)) }

// wide is the place of something within an environment, among those of all environments.
func wide(environment, address string) string { return placeOf(environment) + "00" + placeOf(address) }

const (
	// maxBeginning bounds the beginnings that a word is found by, in letters.
	maxBeginning = 48
	// shortCommit is how many characters of a commit are indexed.
	shortCommit = 7
)

// cutWords are the words of a text as they are searched for: lower case, cut where the beginnings end.
func cutWords(words []string) []string {
	cut := make([]string, len(words))
	for i, w := range words {
		cut[i] = placeOf(beginning(w, maxBeginning))
	}
	return cut
}

// beginnings are all beginnings of all words, in hexadecimal. An array index finds them exactly.
func beginnings(words []string) []string {
	seen := map[string]bool{}
	all := []string{}
	for _, w := range words {
		for n := 1; n <= min(maxBeginning, utf8.RuneCountInString(w)); n++ {
			b := placeOf(beginning(w, n))
			if !seen[b] {
				seen[b], all = true, append(all, b)
			}
		}
	}
	return all
}

// beginning is the first letters of a word.
func beginning(word string, letters int) string {
	for i := range word {
		if letters == 0 {
			return word[:i]
		}
		letters--
	}
	return word
}

// short is the beginning of a commit that is indexed.
func short(commit string) string {
	commit = strings.ToValidUTF8(commit, "")
	return beginning(commit, shortCommit)
}
