package terraform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// remote is a module in a git repository, as Terraform writes it: git::https://host/modules.git//network?ref=v1.2.
type remote struct {
	repository string
	ref        string // "" is the default branch
	sub        string // the module's folder in the repository
}

const gitPrefix = "git::"

func isRemote(source string) bool {
	return strings.HasPrefix(source, gitPrefix) || strings.HasPrefix(source, "git@") || strings.Contains(source, "://")
}

// parseRemote reads a source. The error ends a sentence that begins with the source.
func parseRemote(source string) (remote, error) {
	if strings.Contains(source, "://") && !strings.HasPrefix(source, gitPrefix) {
		return remote{}, errors.New("is an address, but does not say how to fetch it: write git:: before that of a git repository")
	}
	address, query, _ := strings.Cut(strings.TrimPrefix(source, gitPrefix), "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return remote{}, errors.New("has a query that can't be read; write ?ref=NAME for a branch, tag or commit")
	}
	m := remote{ref: values.Get("ref"), sub: "."}
	values.Del("ref")
	for name := range values {
		return remote{}, fmt.Errorf("has the option %q; ref is the only one", name)
	}
	scheme := strings.Index(address, "://")
	from := 0
	if scheme >= 0 {
		from = scheme + len("://")
	}
	m.repository = address
	if before, after, found := strings.Cut(address[from:], "//"); found {
		m.repository = address[:from] + before
		if m.sub, err = bundle.Clean(after); err != nil {
			return remote{}, fmt.Errorf("names a folder of the repository, %q, that %w", after, err)
		}
	}
	if _, _, ok := template.SplitGitURL(m.repository); !ok {
		return remote{}, errors.New("is not the address of a git repository: it begins with https, ssh, http, git or file and ://, or is git@host:path")
	}
	return m, nil
}

// folder is where the module's files lie in a template. It follows from the source alone: a runner has nothing else.
func (m remote) folder() string {
	sum := sha256.Sum256([]byte(m.repository + "\x00" + m.ref + "\x00" + m.sub))
	name := strings.TrimSuffix(path.Base(strings.TrimRight(m.repository, "/")), ".git")
	name = strings.Trim(notInNames.ReplaceAllString(name, "-"), "-")
	return path.Join(template.FetchedFolder, name+"-"+hex.EncodeToString(sum[:6]))
}

// placeOf is where the module of a source lies in the template. The error ends a sentence that begins with the source.
func placeOf(source string) (string, error) {
	if !isRemote(source) {
		return bundle.Clean(source)
	}
	m, err := parseRemote(source)
	return path.Join(m.folder(), m.sub), err
}

// inspectRemote reads a module in a git repository: as it was fetched for the template, or else as it is there now.
func (e *Executor) inspectRemote(r template.InspectRequest, source string) (template.Inspection, hcl.Diagnostics) {
	var none template.Inspection
	m, err := parseRemote(source)
	if err != nil {
		return none, hcl.Diagnostics{wrong(r, "Invalid module source", fmt.Sprintf("The source of a terraform resource: %q %s.", source, err))}
	}
	fetched, problem := e.fetch(r, m)
	if problem != nil {
		return none, hcl.Diagnostics{problem}
	}
	there := r
	if fetched.Dir != "" {
		there.Root, there.Dir = os.DirFS(fetched.Dir), fetched.Dir
	} else if there, err = below(r, fetched.Folder); err != nil {
		return none, hcl.Diagnostics{wrong(r, "Invalid module source", fmt.Sprintf("What was fetched for %q can't be found.", source))}
	}
	if !bundle.IsDir(there.Root, m.sub) || !isModule(there.Root, m.sub) {
		return none, hcl.Diagnostics{wrong(r, "No such module", fmt.Sprintf(
			"There is no folder %q with Terraform files (*.tf or *.tf.json) in %s at commit %.12s.", m.sub, fetched.Source, fetched.Commit))}
	}
	found, diags := inspectFolder(there, m.sub)
	found.Fetched = &fetched
	return found, inRepository(diags, r, fetched)
}

// inRepository says of mistakes in a fetched module where that is; the block is what can be shown.
func inRepository(diags hcl.Diagnostics, r template.InspectRequest, f template.Fetched) hcl.Diagnostics {
	var moved hcl.Diagnostics
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		where := ""
		if d.Subject != nil {
			where = fmt.Sprintf(" (%s:%d)", d.Subject.Filename, d.Subject.Start.Line)
		}
		moved = append(moved, wrong(r, d.Summary, fmt.Sprintf("In %s at commit %.12s%s: %s", f.Source, f.Commit, where, d.Detail)))
	}
	return moved
}

// below is the request for a folder of the template.
func below(r template.InspectRequest, folder string) (template.InspectRequest, error) {
	var err error
	r.Root, err = fs.Sub(r.Root, folder)
	if r.Dir != "" {
		r.Dir += "/" + folder
	}
	return r, err
}

// fetch finds the module's repository.
func (e *Executor) fetch(r template.InspectRequest, m remote) (template.Fetched, *hcl.Diagnostic) {
	if f, ok := template.FetchedBefore(r.Root, m.folder()); ok {
		return f, nil
	}
	f := template.Fetched{Folder: m.folder(), Source: withoutUser(m.repository)}
	if e.options.Fetch == nil {
		return f, wrong(r, "Module can't be fetched", "Modules from git repositories can't be fetched here.")
	}
	var err error
	if f.Dir, f.Commit, err = e.options.Fetch(context.Background(), m.repository, m.ref); err == nil {
		return f, nil
	}
	found := fault.From(err)
	e.options.Log.Warn("a module can't be fetched", "from", f.Source, "ref", m.ref, "error", err)
	d := wrong(r, "Module can't be fetched", fmt.Sprintf("%s: %s.", f.Source, found.Message))
	if found.Disposition != fault.Reject {
		d.Extra = template.Passing{}
	}
	return f, d
}

// withoutUser takes name and password out of an address.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return address
	}
	u.User = nil
	return u.String()
}
