package nats_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	client "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/bustest"
	"github.com/vivarium-env/vivarium/pkg/bus/nats"
)

// The server of the tests runs in a process of its own, this program again, so that it can be killed.
const (
	envDir    = "VIVARIUM_NATS_TEST_DIR"
	envListen = "VIVARIUM_NATS_TEST_LISTEN"
)

const token = "a token"

func TestMain(m *testing.M) {
	if dir := os.Getenv(envDir); dir != "" {
		if err := serve(dir, os.Getenv(envListen)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// serve runs a server until its standard input ends, as it does when the tests end in whatever way.
func serve(dir, listen string) error {
	e, err := nats.StartEmbedded(context.Background(), nats.EmbeddedOptions{Dir: dir, Listen: listen, Token: token, EncryptionKey: "a key"})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return e.Stop(context.Background())
}

// process is the server of the tests.
type process struct {
	dir, address string
	cmd          *exec.Cmd
	stdin        io.Closer
}

func (p *process) url(address string) string {
	if address == "" {
		address = p.address
	}
	return "nats://" + strings.ReplaceAll(token, " ", "%20") + "@" + address
}

func (p *process) start(context.Context) error {
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), envDir+"="+p.dir, envListen+"="+p.address)
	p.cmd.Stderr = os.Stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	p.stdin = stdin
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready\n" {
		return errors.Join(fmt.Errorf("the server said %q", line), err, p.cmd.Wait())
	}
	return nil
}

func (p *process) stop(context.Context) error {
	return errors.Join(p.stdin.Close(), p.cmd.Wait())
}

func (p *process) kill(context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	_ = p.cmd.Wait() // it was killed
	return nil
}

func startProcess(t testing.TB) *process {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &process{dir: t.TempDir(), address: l.Addr().String()}
	require.NoError(t, l.Close())
	require.NoError(t, p.start(context.Background()))
	t.Cleanup(func() { _ = p.stop(context.Background()) })
	return p
}

// TestContract runs the suite on a server in another process.
func TestContract(t *testing.T) {
	bustest.Run(t, func(t *testing.T) bustest.Broker {
		p := startProcess(t)
		return bustest.Broker{
			Address: p.address,
			Dial: func(ctx context.Context, address string) (bus.Bus, error) {
				return nats.Connect(ctx, nats.Options{URL: p.url(address), Name: "bustest"})
			},
			Stop: p.stop, Kill: p.kill, Start: p.start,
			Plain: func(ctx context.Context, key string, body []byte, answers chan<- []byte) (func(), error) {
				return plainClient(p.url(""), key, body, answers)
			},
			KeepsUndeclared: true,
		}
	})
}

// plainClient is what any NATS program does: it knows nothing of this driver, nor of JetStream.
func plainClient(url, key string, body []byte, answers chan<- []byte) (func(), error) {
	over := make(chan struct{})
	nc, err := client.Connect(url, client.ClosedHandler(func(*client.Conn) { close(over) }))
	if err != nil {
		return nil, err
	}
	end := func() { nc.Close(); <-over }
	m := client.NewMsg("vivarium.commands." + key)
	m.Header.Set("Reply-To", "answers.me")
	m.Data = body
	if _, err := nc.Subscribe("answers.me", func(m *client.Msg) { answers <- m.Data }); err != nil {
		return end, err
	}
	return end, nc.PublishMsg(m)
}
