package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/plugin/internal/wire"
	"github.com/vivarium-env/vivarium/pkg/template"
)

const (
	// DefaultGrace is how long a cancelled plugin may take to end its work before it is killed.
	DefaultGrace = 10 * time.Second
	// startTimeout bounds a start, and describeTimeout what is asked of every plugin.
	startTimeout    = 30 * time.Second
	describeTimeout = 10 * time.Second
)

// Options say which program it is. Only Path is required.
type Options struct {
	// Path of the executable. A file beside it, of the same name and ".sha256", holds the checksum it has to have, as
	// sha256sum writes it.
	Path string
	// Environment of the program, as KEY=VALUE.
	Environment []string
	// Grace lies between a cancellation and SIGKILL; 0 is DefaultGrace.
	Grace time.Duration
	// Log gets what the program prints to its standard error, without the secrets of the work at hand.
	Log *slog.Logger
}

// Plugin is an executor that is a program of its own. It is started when there is work, and again when it has ended. It is
// safe for concurrent use. Close ends it.
type Plugin struct {
	options     Options
	checksum    []byte // of the file that was loaded
	description *wire.Description
	kind        template.Kind
	printed     *printed

	mu      sync.Mutex
	process *goplugin.Client // nil while it does not run
	calls   wire.ExecutorClient
	closed  bool
}

var (
	_ executor.Executor = (*Plugin)(nil)
	_ executor.Targeter = (*Plugin)(nil)
)

// Discover finds the plugins of a folder: its executable files, in order. "" has none; a folder that is not there is an error.
func Discover(folder string) (paths []string, err error) {
	if folder == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("the folder of plugins can't be read: %w", err)
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		info, err := os.Stat(path) // of what a link leads to
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// Load starts the program to learn its Kind, and ends it again. The file that runs later has to be the same one.
func Load(ctx context.Context, o Options) (*Plugin, error) {
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, err
	}
	o.Path = path
	p := &Plugin{options: o, printed: &printed{log: o.Log.With("plugin", filepath.Base(path))}}
	if p.checksum, err = checked(path); err != nil {
		return nil, err
	}
	defer p.stop()
	if err := p.describe(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// checked is the file's checksum, which is the one beside it, if there is one.
func checked(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the plugin can't be read: %w", err)
	}
	defer func() { _ = file.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return nil, fmt.Errorf("the plugin can't be read: %w", err)
	}
	text, err := os.ReadFile(path + ".sha256")
	if errors.Is(err, fs.ErrNotExist) {
		return sum.Sum(nil), nil
	}
	if err != nil {
		return nil, fmt.Errorf("the checksum of the plugin can't be read: %w", err)
	}
	want, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if got := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(want, got) {
		return nil, fmt.Errorf("the plugin %s has the SHA-256 %s, and not the one in %s.sha256: it was altered or cut short; "+
			"get it anew, or write its new checksum there if you trust it", path, got, filepath.Base(path))
	}
	return sum.Sum(nil), nil
}

func (p *Plugin) describe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	_, calls, err := p.running()
	if err != nil {
		return err
	}
	if p.description, err = calls.Describe(ctx, &wire.DescribeRequest{}); err != nil {
		return fmt.Errorf("the plugin %s does not tell its kind, so it is none for this version of Vivarium, or it hangs: build it anew, or take it out of its folder: %w",
			p.options.Path, err)
	}
	if p.kind, err = kindOf(p.description); err != nil {
		return fmt.Errorf("the plugin %s describes itself wrongly: %w; tell its author, or take it out of its folder", p.options.Path, err)
	}
	return nil
}

// Kind is what the plugin told of itself when it was loaded.
func (p *Plugin) Kind() template.Kind { return p.kind }

func (p *Plugin) name() string { return filepath.Base(p.options.Path) }

// Close ends the program; work that is under way fails. It may be called twice.
func (p *Plugin) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
}
