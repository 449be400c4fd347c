package stack

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Seeker looks for a secret, in the clear and in the spellings that a program might write it in without thinking.
type Seeker struct {
	forms [][]byte
	// Files, Texts and Bytes are how much was looked through.
	Files, Texts int
	Bytes        int64
	// Found are the places that hold it.
	Found []string
}

// NewSeeker looks for a secret of at least eight bytes, so that it is found nowhere by chance.
func NewSeeker(secret string) (*Seeker, error) {
	if len(secret) < 8 {
		return nil, fmt.Errorf("a secret of %d bytes may be found anywhere by chance", len(secret))
	}
	s := &Seeker{forms: [][]byte{[]byte(secret), []byte(hex.EncodeToString([]byte(secret)))}}
	for shift := range 3 { // base64 has it in one of three ways, by what stands before it; what its neighbours touch is cut off
		padded := append(bytes.Repeat([]byte{0}, shift), secret...)
		text := []byte(base64.RawStdEncoding.EncodeToString(padded))
		first, last := []int{0, 2, 3}[shift], len(padded)*8/6
		s.forms = append(s.forms, text[first:last])
	}
	return s, nil
}

// Text looks through one text.
func (s *Seeker) Text(name string, text []byte) {
	s.Texts++
	s.look(name, text)
}

// Folder looks through all files below a folder, whatever they hold. Those that go while it looks are left out.
func (s *Seeker) Folder(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		s.Files++
		s.look(path, text)
		return err
	})
}

func (s *Seeker) look(name string, text []byte) {
	s.Bytes += int64(len(text))
	for _, form := range s.forms {
		if at := bytes.Index(text, form); at >= 0 {
			s.Found = append(s.Found, fmt.Sprintf("%s at byte %d", name, at))
			return
		}
	}
}
