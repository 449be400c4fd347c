package template

import (
	"encoding/json"
	"io/fs"
	"path"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/vivarium-env/vivarium/pkg/bundle"
)

// FetchedFolder is the folder of a template in which lies what its blocks have fetched from elsewhere. It travels with the
// template, so that an environment keeps what it was made of.
const FetchedFolder = "vivarium.fetched"

// Fetched is what a block refers to that is not in the template's folder. The compiler makes it part of the template.
type Fetched struct {
	// Folder is where it lies in the template from then on: FetchedFolder and a name that follows from the block's source.
	Folder string
	// Source is where it came from, without secrets, and Commit which one it was.
	Source, Commit string
	// Dir is the folder on disk with the files; "" when they are in the template already.
	Dir string
}

// Passing, as hcl.Diagnostic.Extra, says that a mistake may pass by itself: what a block refers to could not be reached. The
// catalogue compiles the template again later.
type Passing struct{}

// triedAgain is how long a catalogue waits before it compiles again what could not be reached.
const triedAgain = 20 * time.Second

// origin is what is kept beside fetched files.
type origin struct {
	Source string `json:"source"`
	Commit string `json:"commit"`
}

func originFile(folder string) string { return folder + ".json" }

// FetchedBefore is what was fetched for a folder when the template was made; ok is false when nothing was.
func FetchedBefore(root fs.FS, folder string) (f Fetched, ok bool) {
	text, err := fs.ReadFile(root, originFile(folder))
	var from origin
	if err != nil || json.Unmarshal(text, &from) != nil {
		return f, false
	}
	return Fetched{Folder: folder, Source: from.Source, Commit: from.Commit}, true
}

// adopt makes the files below a fetched folder part of the template.
func (c *compiler) adopt(f *Fetched, below string) hcl.Diagnostics {
	if f.Dir == "" {
		return nil
	}
	files, diags := readFolder(nil, f.Dir)
	if diags.HasErrors() {
		return diags
	}
	text, err := json.Marshal(origin{Source: f.Source, Commit: f.Commit})
	if err != nil {
		return hcl.Diagnostics{folderError("", "What was fetched can't be kept", err)}
	}
	more := map[string]*entry{originFile(f.Folder): {name: path.Base(originFile(f.Folder)), mode: 0o644, data: text}}
	for name, e := range files.files {
		if !e.IsDir() && (below == "." || name == below || len(name) > len(below) && name[:len(below)+1] == below+"/") {
			more[path.Join(f.Folder, name)] = e
		}
	}
	c.t.files.add(more)
	return nil
}

// add puts files into a sealed snapshot, before anybody else has it.
func (s *snapshot) add(more map[string]*entry) {
	for name, e := range s.files {
		if e.IsDir() {
			delete(s.files, name)
		}
	}
	for name, e := range more {
		s.files[name] = e
	}
	s.seal()
}

// hash is that of all that is in the template now.
func (c *compiler) hashAll() {
	if hash, err := bundle.Hash(c.t.files, "."); err == nil {
		c.t.Hash = hash // an error was reported for the folder alone
	}
}
