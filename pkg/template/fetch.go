package template

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// SplitGitURL tells whether a catalogue's address is a git URL and takes "?ref=NAME" off it. Addresses of git are
// https://, http://, ssh://, git://, file:// and git@host:path; all else is a folder.
func SplitGitURL(address string) (repository, ref string, ok bool) {
	scheme, _, found := strings.Cut(address, "://")
	switch {
	case found && (scheme == "https" || scheme == "http" || scheme == "ssh" || scheme == "git" || scheme == "file"):
	case strings.HasPrefix(address, "git@") && strings.Contains(address, ":"):
	default:
		return address, "", false
	}
	repository, query, _ := strings.Cut(address, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return address, "", true
	}
	ref = values.Get("ref")
	if values.Del("ref"); len(values) > 0 {
		repository += "?" + values.Encode()
	}
	return repository, ref, true
}

// FetchGit makes dir a checkout of a branch, tag or commit of a git repository, or brings it up to date. An empty
// ref takes the one in the address, else the repository's default branch. What was changed in dir by hand is lost;
// a folder that is not such a checkout is left alone. The error is a *fault.Error: Reject for a wrong address or ref,
// Retry when the repository could not be reached.
func FetchGit(ctx context.Context, repository, ref, dir string) error {
	address, inAddress, ok := SplitGitURL(repository)
	if !ok {
		return fault.New(fault.Reject, fault.Invalid, "%q is not the address of a git repository", redact(repository))
	}
	if ref == "" {
		ref = inAddress
	}
	if strings.HasPrefix(ref, "-") || strings.ContainsAny(ref, " \t\n\r\x00~^:?*[\\") || strings.Contains(ref, "..") {
		return fault.New(fault.Reject, fault.Invalid, "%q can't be the name of a branch, tag or commit", ref)
	}
	if err := prepareClone(ctx, address, dir); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"remote", "set-url", "--", "origin", address},
		{"fetch", "--quiet", "--force", "--prune", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"},
	} {
		if _, err := git(ctx, dir, args...); err != nil {
			return unreachable(address, err)
		}
	}
	commit, err := findCommit(ctx, dir, ref)
	if err != nil {
		return err
	}
	for _, args := range [][]string{{"checkout", "--quiet", "--force", "--detach", commit}, {"clean", "--quiet", "-ffdx"}} {
		if _, err := git(ctx, dir, args...); err != nil {
			return fault.Wrap(err, fault.Retry, fault.Unavailable, "what was fetched can't be checked out; the log has git's words")
		}
	}
	return nil
}

// prepareClone makes an empty repository where there is nothing yet.
func prepareClone(ctx context.Context, address, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
		return nil
	}
	if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return fault.New(fault.Reject, fault.Exists, "the folder for the checkout holds something else; name an empty one")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.Wrap(err, fault.Retry, fault.Internal, "the folder for the checkout can't be made")
	}
	for _, args := range [][]string{{"init", "--quiet"}, {"remote", "add", "--", "origin", address}} {
		if _, err := git(ctx, dir, args...); err != nil {
			return fault.Wrap(err, fault.GiveUp, fault.Unavailable, "git can't be run, or the folder for the checkout can't be written to")
		}
	}
	return nil
}

// findCommit looks for a branch first, then a tag, then a commit.
func findCommit(ctx context.Context, dir, ref string) (string, error) {
	candidates := []string{"refs/remotes/origin/" + ref, "refs/tags/" + ref, ref}
	if ref == "" {
		if _, err := git(ctx, dir, "remote", "set-head", "origin", "--auto"); err != nil {
			return "", fault.Wrap(err, fault.Reject, fault.NotFound, "the repository has no default branch; name a ref")
		}
		candidates = []string{"refs/remotes/origin/HEAD"}
	}
	for _, name := range candidates {
		commit, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
		if ctx.Err() != nil {
			return "", fault.From(ctx.Err())
		}
		if err == nil {
			return commit, nil
		}
	}
	return "", fault.New(fault.Reject, fault.NotFound, "the repository has no branch, tag or commit %q", ref)
}

func unreachable(address string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.From(err)
	}
	said := errors.New(strings.ReplaceAll(err.Error(), address, redact(address)))
	return fault.Wrap(said, fault.Retry, fault.Unavailable, "nothing can be fetched from %s: it is not there, or not to be reached from here with this server's credentials; the log has git's words", redact(address))
}

// redact takes user, password and token out of an address.
func redact(address string) string {
	u, err := url.Parse(address)
	switch {
	case err == nil && u.Scheme != "":
		u.User = nil
		return u.String()
	case strings.HasPrefix(address, "git@"):
		return address
	}
	return "the given address"
}

// Reachable asks whether there is a git repository at an address, and fetches nothing. The error tells how git ended, and has none of
// its words: it may repeat a password of the address.
func Reachable(ctx context.Context, address string) error {
	_, err := git(ctx, "", "ls-remote", "--quiet", "--", address, "HEAD")
	if ended := errors.Unwrap(err); ended != nil {
		return ended
	}
	return err
}

// Commit is the commit of a checkout that FetchGit has made.
func Commit(ctx context.Context, dir string) (string, error) {
	commit, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "HEAD")
	if err != nil {
		return "", fault.Wrap(err, fault.Retry, fault.Unavailable, "the commit of the checkout can't be read")
	}
	return commit, nil
}
