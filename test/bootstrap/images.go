package bootstrap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/test/servers"
)

// images are what the engine is given, since it can pull none: the static programs with nothing around them, and RabbitMQ with
// just what it needs of this Debian. That of the service is made by the bootstrap.
const images = `images={"broker":"boot/rabbitmq:1","consul":"boot/consul:1","vault":"boot/vault:1"}`

// packed are the programs of images that hold nothing else.
var packed = []string{"consul", "vault"}

// tools are what the scripts of RabbitMQ and Erlang call.
var tools = []string{"sh", "sed", "grep", "awk", "basename", "dirname", "readlink", "cat", "date", "id", "hostname", "env", "touch", "rm", "mkdir", "ls", "tr", "cut",
	"chmod", "sleep", "uname", "df", "ps", "wc", "head", "mv", "cp", "expr", "stty", "true", "epmd", "erl"}

// trees are what they are made of.
var trees = []string{"/usr/lib/erlang", "/usr/lib/rabbitmq"}

// pack gives the engine all images that it lacks.
func (p *Place) pack(ctx context.Context, d *servers.Docker) error {
	give := func(image string, archive io.Reader, env ...string) error {
		return d.Import(ctx, image, archive, "ENV "+strings.Join(env, " "))
	}
	for _, name := range packed {
		err := lacking(ctx, d, "boot/"+name+":1", func() error { return p.packProgram(give, "boot/"+name+":1", name) })
		if err != nil {
			return err
		}
	}
	return lacking(ctx, d, brokerImage, func() error { return p.packBroker(ctx, give) })
}

// load gives a cluster's node all images but that of the service, which it pulls.
func (p *Place) load(ctx context.Context, k *servers.Kubernetes) error {
	give := func(image string, archive io.Reader, env ...string) error {
		layer, err := io.ReadAll(archive)
		if err != nil {
			return err
		}
		return k.LoadFileSystem(ctx, image, layer, env...)
	}
	for _, name := range packed {
		if err := p.packProgram(give, "boot/"+name+":1", name); err != nil {
			return err
		}
	}
	return p.packBroker(ctx, give)
}

// giver takes a file system for an image, with variables.
type giver func(image string, archive io.Reader, env ...string) error

const brokerImage = "boot/rabbitmq:1"

func (p *Place) packProgram(give giver, image, program string) error {
	file, err := p.find(program)
	if err != nil {
		return err
	}
	archive, err := servers.FileSystem(file, "usr/bin/"+program)
	if err != nil {
		return err
	}
	return give(image, bytes.NewReader(archive), "PATH=/usr/bin")
}

func (p *Place) packBroker(ctx context.Context, give giver) error {
	archive, err := p.broker(ctx)
	if err != nil {
		return err
	}
	// The scripts find what is theirs by where they lie, which links tell on the machine.
	homes, err := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin")
	if err != nil || len(homes) == 0 {
		return errors.Join(err, errors.New("this machine's RabbitMQ is not where Debian has it"))
	}
	return give(brokerImage, archive, "PATH="+homes[0]+":/usr/bin:/bin", "LANG=C.UTF-8")
}

// find looks in the PATH of the place.
func (p *Place) find(name string) (string, error) {
	for _, dir := range filepath.SplitList(p.path) {
		if file, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no %s in PATH", name)
}

// broker is a file system with the broker, the tools, and the libraries that both are linked with; links are what they lead to.
func (p *Place) broker(ctx context.Context) (io.Reader, error) {
	root, list := filepath.Join(p.Dir, "root"), slices.Clone(trees)
	for _, tool := range tools {
		file, err := p.find(tool)
		if err != nil {
			continue // the scripts do without, or say what they miss
		}
		list = append(list, file, "/bin/"+tool, "/usr/bin/"+tool)
	}
	libraries, err := linked(ctx, list)
	if err != nil {
		return nil, err
	}
	list = append(list, libraries...)
	slices.Sort(list)
	list = slices.DeleteFunc(slices.Compact(list), func(file string) bool { _, err := os.Stat(file); return err != nil })
	for i := range list {
		list[i] = strings.TrimPrefix(list[i], "/")
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(root, "etc"), 0o755), os.MkdirAll(filepath.Join(root, "tmp"), 0o1777), //nolint:gosec // a folder for temporary files
		os.WriteFile(filepath.Join(root, "etc", "passwd"), []byte("root:x:0:0:root:/:/bin/sh\n"), 0o644)); err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	cmd := exec.CommandContext(ctx, "tar", append([]string{"-c", "--dereference", "--hard-dereference", "-C", root, "etc", "tmp", "-C", "/"}, list...)...)
	cmd.Stdout, cmd.Stderr = &archive, os.Stderr
	return &archive, cmd.Run()
}

var library = regexp.MustCompile(`(/\S+) \(0x`)

// linked are the libraries of programs, and of what is in folders.
func linked(ctx context.Context, list []string) (libraries []string, err error) {
	var files []string
	for _, at := range list {
		err := filepath.WalkDir(at, func(file string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && (entry.Type()&fs.ModeSymlink != 0 || executable(entry) || strings.HasSuffix(file, ".so")) {
				files = append(files, file)
			}
			return nil //nolint:nilerr // what is not there needs nothing
		})
		if err != nil {
			return nil, err
		}
	}
	out, _ := exec.CommandContext(ctx, "ldd", files...).Output() // it complains of what is no program
	for _, m := range library.FindAllSubmatch(out, -1) {
		libraries = append(libraries, string(m[1]))
	}
	return libraries, ctx.Err()
}

func executable(entry fs.DirEntry) bool {
	info, err := entry.Info()
	return err == nil && info.Mode()&0o111 != 0
}
