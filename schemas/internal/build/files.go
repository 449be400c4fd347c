package build

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/api"
	"github.com/vivarium-env/vivarium/pkg/api/schema"
)

const commentsFile = "pkg/api/schema/comments.json"

// Files are all documents, by their path below root, the module's folder, whose source is read for its comments.
func Files(root string) (map[string][]byte, error) {
	comments, err := schema.ReadComments(root)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	if files[commentsFile], err = text(comments); err != nil {
		return nil, err
	}
	if files["schemas/openapi.json"], err = api.Document(comments); err != nil {
		return nil, err
	}
	messages := Messages()
	for _, m := range messages {
		document, err := m.schema(comments)
		if err != nil {
			return nil, err
		}
		if files["schemas/"+m.File()], err = text(document); err != nil {
			return nil, err
		}
	}
	files["schemas/asyncapi.json"], err = text(asyncAPI(messages))
	return files, err
}

// text is JSON as people read it: indented, with its signs as they are.
func text(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(v)
	return b.Bytes(), err
}

// Differences are the files that are not what the code says: changed, missing or left over.
func Differences(root string) ([]string, error) {
	files, err := Files(root)
	if err != nil {
		return nil, err
	}
	different, err := leftOver(root, files)
	if err != nil {
		return nil, err
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if !bytes.Equal(got, want) {
			different = append(different, name)
		}
	}
	slices.Sort(different)
	return different, nil
}

// leftOver are schemas of messages that are no more.
func leftOver(root string, files map[string][]byte) ([]string, error) {
	var names []string
	for _, folder := range folders {
		found, err := filepath.Glob(filepath.Join(root, "schemas", folder, "*.json"))
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			name := "schemas/" + folder + "/" + filepath.Base(file)
			if _, made := files[name]; !made {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// Write makes the files what the code says, and removes those that are left over.
func Write(root string) error {
	files, err := Files(root)
	if err != nil {
		return err
	}
	old, err := leftOver(root, files)
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(filepath.Join(root, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	for name, content := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // documents are for everybody
			return err
		}
		if err := os.WriteFile(file, content, 0o644); err != nil { //nolint:gosec // documents are for everybody
			return err
		}
	}
	return nil
}

// identifier makes a key of a name: environment.create becomes environmentCreate.
func identifier(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '-' })
	for i, word := range words {
		if i > 0 {
			words[i] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return strings.Join(words, "")
}
