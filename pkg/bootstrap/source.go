package bootstrap

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// What a repository is for is said by its name: PREFIX and one of these.
const (
	Templates    = "templates"    // a catalogue: folders with a template.hcl
	Environments = "environments" // definitions: files NAME.hcl with environment blocks
)

// githubAPI is where organisations are listed.
const githubAPI = "https://api.github.com"

// Source says whose repositories hold the configuration. Without an organisation and a base there are none.
type Source struct {
	// Organisation (or user) on GitHub.
	Organisation string
	// Base is a URL below which repositories are, in place of GitHub: https://git.example.test/team, or file:///srv/git.
	Base   string
	Prefix string
	// Token is shown to GitHub's API; "" asks as anybody.
	Token string
	// API is GitHub's API unless given.
	API string
	// HTTP asks GitHub's API; http.DefaultClient unless given.
	HTTP *http.Client
}

// Repository is one that was found.
type Repository struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// Role is Templates, Environments, or "" for one that is for neither.
	Role string `json:"role,omitempty"`
	// Dir is the checkout and Commit its commit, once it was fetched.
	Dir    string `json:"-"`
	Commit string `json:"commit,omitempty"`
}

// Find lists the repositories whose names begin with the prefix. Of a server of git that can't list, the two names that mean something are
// asked for. A wrong organisation, or a base at which nothing answers, is an error that says so.
func (s Source) Find(ctx context.Context) (list []Repository, err error) {
	if s.Organisation == "" && s.Base == "" {
		return nil, nil
	}
	if _, err := exec.LookPath("git"); err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Unavailable, "configuration repositories are fetched by git, which can't be run: there is none in PATH. Install it "+
			"(Debian: apt-get install git), or raise what comes with this program: without --git-base and --github-organisation")
	}
	switch {
	case s.Base == "":
		list, err = s.github(ctx)
	case strings.HasPrefix(s.Base, "file://"):
		list, err = s.folder()
	default:
		list, err = s.probe(ctx)
	}
	for i := range list {
		if role := strings.TrimPrefix(list[i].Name, s.Prefix); role == Templates || role == Environments {
			list[i].Role = role
		}
	}
	slices.SortFunc(list, func(a, b Repository) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

// folder lists the folders below a base file://PATH; "NAME.git" is the repository NAME.
func (s Source) folder() (list []Repository, err error) {
	dir := strings.TrimPrefix(s.Base, "file://")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.NotFound, "--git-base %s is no folder that can be read", s.Base)
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".git")
		if e.IsDir() && strings.HasPrefix(name, s.Prefix) {
			list = append(list, Repository{Name: name, URL: "file://" + filepath.Join(dir, e.Name())})
		}
	}
	return list, nil
}

// probe asks a server of git for each name that means something.
func (s Source) probe(ctx context.Context) (list []Repository, err error) {
	var last error
	for _, role := range []string{Templates, Environments} {
		name := s.Prefix + role
		address := strings.TrimRight(s.Base, "/") + "/" + name
		if last = template.Reachable(ctx, address); last != nil {
			address += ".git"
			last = template.Reachable(ctx, address)
		}
		if last == nil {
			list = append(list, Repository{Name: name, URL: address})
		}
	}
	if len(list) == 0 {
		return nil, fault.Wrap(last, fault.Reject, fault.NotFound, "there is neither %[2]s%[3]s nor %[2]s%[4]s at %[1]s: see to --git-base and --repository-prefix",
			s.Base, s.Prefix, Templates, Environments)
	}
	return list, nil
}

// github lists an organisation's repositories, or those of a user.
func (s Source) github(ctx context.Context) (list []Repository, err error) {
	api := s.API
	if api == "" {
		api = githubAPI
	}
	for _, kind := range []string{"orgs", "users"} {
		list, err = s.pages(ctx, fmt.Sprintf("%s/%s/%s/repos", api, kind, url.PathEscape(s.Organisation)))
		if !fault.Is(err, fault.NotFound) {
			return list, err
		}
	}
	return nil, fault.New(fault.Reject, fault.NotFound, "GitHub knows no organisation and no user %q: see to --github-organisation (what is private needs GITHUB_TOKEN)", s.Organisation)
}

func (s Source) pages(ctx context.Context, address string) (list []Repository, err error) {
	const size = 100
	for page := 1; ; page++ {
		var found []struct {
			Name  string `json:"name"`
			Clone string `json:"clone_url"`
		}
		if err := s.get(ctx, fmt.Sprintf("%s?per_page=%d&page=%d", address, size, page), &found); err != nil {
			return nil, err
		}
		for _, r := range found {
			if strings.HasPrefix(r.Name, s.Prefix) {
				list = append(list, Repository{Name: r.Name, URL: r.Clone})
			}
		}
		if len(found) < size {
			return list, nil
		}
	}
}

func (s Source) get(ctx context.Context, address string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/vnd.github+json")
	if s.Token != "" {
		request.Header.Set("Authorization", "Bearer "+s.Token)
	}
	caller := s.HTTP
	if caller == nil {
		caller = http.DefaultClient
	}
	answer, err := caller.Do(request)
	if err != nil {
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "GitHub's API can't be reached; --git-base names another server of git")
	}
	defer func() { _ = answer.Body.Close() }()
	switch answer.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(answer.Body).Decode(into)
	case http.StatusNotFound:
		return fault.New(fault.Reject, fault.NotFound, "GitHub has nothing there")
	}
	return fault.New(fault.Retry, fault.Unavailable, "GitHub's API answers %s; a token in GITHUB_TOKEN may ask more often and sees what is private", answer.Status)
}

// Fetch has a checkout of each repository that has a role, below dir.
func Fetch(ctx context.Context, list []Repository, dir string) error {
	for i := range list {
		r := &list[i]
		if r.Role == "" {
			continue
		}
		r.Dir = filepath.Join(dir, r.Name)
		if err := template.FetchGit(ctx, r.URL, "", r.Dir); err != nil {
			return fmt.Errorf("the repository %s: %w", r.Name, err)
		}
		var err error
		if r.Commit, err = template.Commit(ctx, r.Dir); err != nil {
			return fmt.Errorf("the repository %s: %w", r.Name, err)
		}
	}
	return nil
}

// Of is the repository with a role, nil where there is none.
func Of(list []Repository, role string) *Repository {
	for i := range list {
		if list[i].Role == role {
			return &list[i]
		}
	}
	return nil
}
