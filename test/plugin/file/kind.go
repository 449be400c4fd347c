package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// file is the executor; it has nothing of its own, so it may be used concurrently.
type file struct{}

// block is what a request's inputs hold.
type block struct {
	Path    string `json:"path"`
	Content string `json:"content"`
	Note    string `json:"note"`
	WaitFor string `json:"wait_for"`
}

func (file) Kind() template.Kind {
	return template.Kind{
		Name:  "file",
		Retry: &environment.RetryPolicy{Attempts: 3, Backoff: time.Second, MaxBackoff: 10 * time.Second}, Timeout: 10 * time.Minute,
		Spec: hcldec.ObjectSpec{
			"path":    &hcldec.AttrSpec{Name: "path", Type: cty.String, Required: true},
			"content": &hcldec.AttrSpec{Name: "content", Type: cty.String, Required: true},
			// note is a line for the log, and wait_for a file that has to be there before this one is written.
			"note":     &hcldec.AttrSpec{Name: "note", Type: cty.String},
			"wait_for": &hcldec.AttrSpec{Name: "wait_for", Type: cty.String},
		},
		Outputs: map[string]template.Output{
			"path": {Type: cty.String, Description: "Where the file is."},
			"size": {Type: cty.Number, Description: "How many bytes it has."},
		},
	}
}

func decode(r executor.Request) (b block, err error) {
	if err := json.Unmarshal(r.Inputs, &b); err != nil {
		return b, fault.New(fault.GiveUp, fault.Invalid, "the inputs of %s are not those of a file", r.Step)
	}
	if !filepath.IsAbs(b.Path) {
		return b, fault.New(fault.GiveUp, fault.Invalid, "path = %q of %s has to begin with a slash", r.Mask(b.Path), r.Step)
	}
	return b, nil
}

// state is what is kept between attempts: which file is ours, and what is in it.
type state struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

func kept(r executor.Request) (s state, err error) {
	if r.State == nil {
		return s, nil
	}
	if err := json.Unmarshal(r.State, &s); err != nil {
		return s, fault.New(fault.GiveUp, fault.Internal, "the state of %s can't be read", r.Step)
	}
	return s, nil
}

func hash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}
