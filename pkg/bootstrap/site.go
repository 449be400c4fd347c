package bootstrap

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// Environment is the name of environment zero.
const Environment = "meta"

// Site is where, and from whose repositories, a work folder bootstraps.
type Site struct {
	Location     string `json:"location"`
	Organisation string `json:"organisation,omitempty"`
	GitBase      string `json:"git_base,omitempty"`
	Prefix       string `json:"prefix,omitempty"`
	Profile      string `json:"profile"`
	// Namespace is where everything is in a cluster; "" on a machine.
	Namespace string `json:"namespace,omitempty"`
}

// Progress is how far a work folder has come.
type Progress struct {
	Site Site `json:"site"`
	// Cluster is what the engine, and the service, call their cluster.
	Cluster string `json:"cluster,omitempty"`
	// KeyID tells the cluster's key from others.
	KeyID string `json:"key_id"`
	// API is the service's address, "" before it is known.
	API string `json:"api,omitempty"`
	// APICA is the authority of its certificate, in PEM; "" where it has none.
	APICA string `json:"api_ca,omitempty"`
	// Handing is set before the store is sent, and HandedOver once the service has it: then environment zero is the service's, and
	// nobody else may act on it.
	Handing    bool      `json:"handing,omitempty"`
	HandedOver time.Time `json:"handed_over,omitzero"`
	// Image is that of the service which was last made for it; "" where somebody named one. Made are those that were put into Docker or Registry, and
	// were not there before.
	Image    string   `json:"image,omitempty"`
	Registry string   `json:"registry,omitempty"`
	Made     []string `json:"made,omitempty"`
	// SHA256 is the checksum of what was handed over.
	SHA256 string `json:"sha256,omitempty"`
}

// Folder is a work folder. It is for one process at a time.
type Folder struct {
	dir string
	at  Progress
}

const (
	progressFile = "bootstrap.json"
	lockFile     = "lock" // of who works on the folder
)

// OpenFolder makes the folder where there is none. One that belongs to another site is refused, and so is a folder that
// holds something else. No site is whichever the folder's is, for what only takes down.
func OpenFolder(dir string, site Site) (*Folder, error) {
	f := &Folder{dir: dir}
	text, err := os.ReadFile(f.Path(progressFile))
	if errors.Is(err, fs.ErrNotExist) {
		return f.begin(site)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Unreadable, "the work folder can't be read")
	}
	if err := json.Unmarshal(text, &f.at); err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Unreadable, "%s is damaged; restore it, or name another folder with --work", f.Path(progressFile))
	}
	if site != (Site{}) && f.at.Site != site {
		was, _ := json.Marshal(f.at.Site) // texts can always be written
		return nil, fault.New(fault.Reject, fault.Exists, "the work folder %s is that of another bootstrap (%s): name another folder with --work, "+
			"or destroy that one first", dir, was)
	}
	return f, nil
}

func (f *Folder) begin(site Site) (*Folder, error) {
	f.at.Site = site
	list, _ := os.ReadDir(f.dir) // a folder that is not there has nothing in it
	if list = slices.DeleteFunc(list, func(e fs.DirEntry) bool { return e.Name() == lockFile }); len(list) > 0 {
		return nil, fault.New(fault.Reject, fault.Exists, "the folder %s holds something else: name an empty one with --work", f.dir)
	}
	if err := os.MkdirAll(f.dir, 0o711); err != nil { // programs that run as somebody else pass through it
		return nil, fault.Wrap(err, fault.Reject, fault.Unavailable, "the work folder can't be made")
	}
	return f, nil
}

// Progress is how far it has come.
func (f *Folder) Progress() Progress { return f.at }

// Path is one within the folder.
func (f *Folder) Path(elements ...string) string {
	return filepath.Join(append([]string{f.dir}, elements...)...)
}

// Note changes the progress, and has it on the disk when it returns.
func (f *Folder) Note(how func(*Progress)) error {
	how(&f.at)
	text, err := json.MarshalIndent(f.at, "", "  ")
	if err != nil {
		return err
	}
	if err := secret.WriteFile(f.Path(progressFile), append(text, '\n')); err != nil {
		return fault.Wrap(err, fault.GiveUp, fault.Unavailable, "the work folder can't be written to: make room there, and run this again")
	}
	return nil
}

// Remove takes the folder away, once all that it tells of is destroyed.
func (f *Folder) Remove() error { return os.RemoveAll(f.dir) }
