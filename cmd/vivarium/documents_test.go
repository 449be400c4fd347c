package main

import (
	"encoding/json"
	"io/fs"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/schemas"
)

// repository is the root, as seen from this package.
const repository = "../.."

// TestLinksOfDocumentsLeadSomewhere holds every relative link of a document to a file and, behind a #, to a heading of it.
func TestLinksOfDocumentsLeadSomewhere(t *testing.T) {
	files := documents(t)
	require.Contains(t, files, filepath.Join(repository, "README.md"))
	for _, file := range files {
		for _, to := range links(t, file) {
			u, err := url.Parse(to)
			require.NoError(t, err, "%s: %s", file, to)
			if u.Scheme != "" {
				continue
			}
			target := file
			if u.Path != "" {
				target = filepath.Join(filepath.Dir(file), filepath.FromSlash(u.Path))
				_, err := os.Stat(target)
				require.NoError(t, err, "%s links to what is not there", file)
			}
			if u.Fragment != "" {
				require.Contains(t, headings(t, target), u.Fragment, "%s links to a heading that %s does not have", file, target)
			}
		}
	}
}

// TestEveryCommandIsDocumented in the reference of commands, by its whole name.
func TestEveryCommandIsDocumented(t *testing.T) {
	reference, err := os.ReadFile(filepath.Join(repository, "cmd", "README.md"))
	require.NoError(t, err)
	var look func(*cobra.Command, string)
	look = func(cmd *cobra.Command, above string) {
		for _, sub := range cmd.Commands() {
			name := strings.TrimSpace(above + " " + strings.Replace(sub.Name(), "environment", "env", 1))
			if look(sub, name); !sub.Hidden && !sub.HasSubCommands() && name != "runner list" { // which is "runners"
				require.Contains(t, string(reference), "`"+name+"`")
			}
		}
	}
	look(newRoot(newFake(nil).cli), "")
}

// TestEveryMessageIsDocumented that a publisher may send.
func TestEveryMessageIsDocumented(t *testing.T) {
	reference, err := os.ReadFile(filepath.Join(repository, "schemas", "README.md"))
	require.NoError(t, err)
	for _, name := range event.Commands() {
		require.Contains(t, string(reference), "[`"+name+"`](commands/"+name+event.TypeSuffix+".json)")
	}
}

// TestEveryRouteIsDocumented of the API.
func TestEveryRouteIsDocumented(t *testing.T) {
	reference, err := os.ReadFile(filepath.Join(repository, "pkg", "api", "README.md"))
	require.NoError(t, err)
	text, err := schemas.Files.ReadFile("openapi.json")
	require.NoError(t, err)
	var document struct{ Paths map[string]any }
	require.NoError(t, json.Unmarshal(text, &document))
	require.NotEmpty(t, document.Paths)
	for route := range document.Paths {
		if route = strings.TrimPrefix(route, "/api/v1/"); route != "/" && !graphOfResource.MatchString(route) {
			require.Regexp(t, "[`/]"+regexp.QuoteMeta(route)+"`", string(reference))
		}
	}
}

// graphOfResource are those that are told once for environments and resources.
var graphOfResource = regexp.MustCompile(`/resources/\{address\}/(dependencies|dependents|impact|lineage)$`)

// TestEveryKindIsDocumented with all that its block takes and puts out.
func TestEveryKindIsDocumented(t *testing.T) {
	reference, err := os.ReadFile(filepath.Join(repository, "pkg", "executor", "README.md"))
	require.NoError(t, err)
	settings, err := config.Load(config.Inputs{})
	require.NoError(t, err)
	for name, kind := range newKit(t.Context(), settings, "r", t.TempDir(), nil, initialise.Options{}, slog.New(slog.DiscardHandler)).kinds {
		for _, word := range append(words(hcldec.ImpliedType(kind.Spec)), slices.Collect(maps.Keys(kind.Outputs))...) {
			require.Contains(t, string(reference), "`"+word+"`", name)
		}
		require.Contains(t, string(reference), "`"+name+"`")
	}
}

// words are the names of all attributes and blocks, also those within blocks.
func words(of cty.Type) (all []string) {
	switch {
	case of.IsObjectType():
		for name, inner := range of.AttributeTypes() {
			all = append(append(all, name), words(inner)...)
		}
	case of.IsCollectionType():
		all = words(of.ElementType())
	}
	return all
}

// documents are all Markdown files, but those in folders that are hidden or were built.
func documents(t *testing.T) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != repository && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin"):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			files = append(files, path)
		}
		return nil
	}))
	return files
}

var (
	linked  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`^#+ +(.*)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// prose are the lines of a document that are no code.
func prose(t *testing.T, file string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	fenced := false
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced && !strings.HasPrefix(line, "    ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func links(t *testing.T, file string) (all []string) {
	for _, line := range prose(t, file) {
		for _, found := range linked.FindAllStringSubmatch(line, -1) {
			all = append(all, found[1])
		}
	}
	return all
}

// headings are the names by which a link leads to them: small letters, hyphens for spaces, nothing else.
func headings(t *testing.T, file string) (names []string) {
	for _, line := range prose(t, file) {
		if found := heading.FindStringSubmatch(line); found != nil {
			names = append(names, strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(found[1]), ""), " ", "-"))
		}
	}
	return names
}
