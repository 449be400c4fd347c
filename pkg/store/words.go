package store

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/vivarium-env/vivarium/pkg/secret"
)

// maxWords bounds what of one record's outputs can be searched for, in bytes.
const maxWords = 4096

// SearchText is what of outputs can be searched for: names and values, without what is sensitive, cut at 4096 bytes. It is
// for drivers, so that all of them find the same.
func SearchText(outputs json.RawMessage) string {
	if len(outputs) == 0 {
		return ""
	}
	decoder := json.NewDecoder(bytes.NewReader(secret.Show(outputs)))
	decoder.UseNumber()
	var b strings.Builder
	for b.Len() < maxWords {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		var word string
		switch v := token.(type) {
		case string:
			word = v
		case json.Number:
			word = v.String()
		}
		if word == "" || word == secret.Shown {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	if b.Len() > maxWords {
		return strings.ToValidUTF8(b.String()[:maxWords], "")
	}
	return b.String()
}

// Words are the runs of letters and digits in a text, in lower case and sorted: what a search looks for. A word that another begins with says
// nothing that the other does not.
func Words(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
	})
	words = slices.Compact(slices.Sorted(slices.Values(words)))
	var kept []string
	for i, w := range words {
		if i+1 == len(words) || !strings.HasPrefix(words[i+1], w) {
			kept = append(kept, w)
		}
	}
	return kept
}
