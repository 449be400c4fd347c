package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// keyring is the operator's keys and the box of the cluster's key.
type keyring struct {
	*initialise.Keys
	box    *secret.Box
	shown  bool // in the end, and not in a file
	before initialise.KeysFile
}

// openKeyring reads the keys, and makes the cluster's where the work folder has nothing sealed yet.
func openKeyring(file string, folder *bootstrap.Folder) (*keyring, error) {
	k := &keyring{shown: file == "-"}
	var err error
	if k.shown {
		file = ""
	} else if file, err = filepath.Abs(file); err != nil {
		return nil, err
	}
	if k.Keys, err = initialise.OpenKeys(file); err != nil {
		return nil, err
	}
	known := folder.Progress().KeyID
	switch k.before = k.Held(); {
	case k.before.ClusterKey == "" && known != "":
		return nil, fault.New(fault.Reject, fault.SecretUnavailable, "this work folder was begun with keys that are not given: name their file with --keys")
	case k.before.ClusterKey == "":
		key, err := secret.NewKey()
		if err != nil {
			return nil, err
		}
		if err := k.SetClusterKey(base64.StdEncoding.EncodeToString(key)); err != nil {
			return nil, err
		}
	}
	if k.box, err = boxOf(k.Held().ClusterKey); err != nil {
		return nil, err
	}
	if known != "" && known != k.box.ID() {
		return nil, fault.New(fault.Reject, fault.SecretUnavailable, "the keys in %s are those of another work folder", file)
	}
	return k, folder.Note(func(p *bootstrap.Progress) { p.KeyID = k.box.ID() })
}

func boxOf(text string) (*secret.Box, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fault.New(fault.Reject, fault.Unreadable, "cluster_key in the file of the keys is not base64")
	}
	return secret.NewBox(key)
}

// show prints the keys once, when that was asked for and there are new ones.
func (k *keyring) show(w io.Writer) {
	held := k.Held()
	if !k.shown || held == k.before {
		return
	}
	text, _ := json.MarshalIndent(held, "", "  ") // texts can always be written
	_, _ = fmt.Fprintf(w, "\nThe keys, which are shown this once. Keep them in a file, with which a later run goes on (--keys FILE):\n%s\n", text)
}
