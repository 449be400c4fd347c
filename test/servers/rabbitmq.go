package servers

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/test/ports"
)

// RabbitMQ is a private broker with an epmd of its own. Its methods may be called from several goroutines, one
// at a time takes effect.
type RabbitMQ struct {
	server
	script  string
	node    string
	port    int
	dist    int
	epmd    int
	manage  int // port of the management plugin, 0 without it
	version string
	portmap *child
}

// RabbitMQOptions choose what StartRabbitMQ would otherwise choose itself.
type RabbitMQOptions struct {
	// Port for AMQP on 127.0.0.1; 0 takes a free one.
	Port int
	// Management starts the management plugin, see RabbitMQ.Management.
	Management bool
}

// StartRabbitMQ starts a broker with its data in dir and returns when it answers; guest/guest may do everything. It
// does not install anything: see InstallRabbitMQ.
func StartRabbitMQ(ctx context.Context, dir string, o ...RabbitMQOptions) (*RabbitMQ, error) {
	script, err := findRabbitMQ()
	if err != nil {
		return nil, err
	}
	free, err := ports.Free(4)
	if err != nil {
		return nil, err
	}
	if len(o) > 0 && o[0].Port != 0 {
		free[0] = o[0].Port
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	r := &RabbitMQ{script: script, port: free[0], dist: free[1], epmd: free[2]}
	r.server = server{name: "RabbitMQ", dir: dir, where: r.Address, command: r.command, environment: r.environment, answers: r.answers,
		before: r.startPortMapper, after: r.endPortMapper}
	if len(o) > 0 && o[0].Management {
		r.manage = free[3]
	}
	r.node = fmt.Sprintf("vivarium-%d@localhost", r.port)
	if err := r.prepare(); err != nil {
		return nil, fmt.Errorf("preparing %s for RabbitMQ: %w", dir, err)
	}
	if err := r.Start(ctx); err != nil {
		return nil, errors.Join(err, r.Kill())
	}
	return r, nil
}

// URL is where clients connect to.
func (r *RabbitMQ) URL() string { return "amqp://guest:guest@" + r.Address() + "/" }

// Management is the URL of the management plugin, which may come up a moment after the broker.
func (r *RabbitMQ) Management() string { return "http://127.0.0.1:" + strconv.Itoa(r.manage) }

// Address is the host and port of URL.
func (r *RabbitMQ) Address() string { return "127.0.0.1:" + strconv.Itoa(r.port) }

// Version is what the broker says it is, such as 3.10.8.
func (r *RabbitMQ) Version() string { return r.version }

// startPortMapper runs epmd as our own child: left alone, the broker would start one that outlives it.
func (r *RabbitMQ) startPortMapper() error {
	if r.portmap.running() {
		return nil
	}
	cmd := exec.Command("epmd", "-port", strconv.Itoa(r.epmd), "-address", "127.0.0.1")
	cmd.Dir, cmd.Env = r.dir, r.environment()
	var err error
	r.portmap, err = startChild(cmd)
	return err
}

func (r *RabbitMQ) endPortMapper() error { return r.portmap.kill() }

func (r *RabbitMQ) command() *exec.Cmd { return exec.Command(r.script) }

// answers tells whether the broker completes a handshake.
func (r *RabbitMQ) answers(context.Context) error {
	conn, err := amqp.DialConfig(r.URL(), amqp.Config{Dial: amqp.DefaultDial(5 * time.Second)})
	if err != nil {
		return err
	}
	r.version, _ = conn.Properties["version"].(string)
	return conn.Close()
}

// EndsQuorumQueues is an expression for Eval that leaves a broker as a full disk does, where it is full while the broker writes: it answers, but what it
// writes quorum queues with has ended, until it is started anew.
const EndsQuorumQueues = "supervisor:terminate_child(ra_systems_sup, quorum_queues)."

// Eval has the broker evaluate an expression of Erlang, and returns what comes of it.
func (r *RabbitMQ) Eval(ctx context.Context, expression string) (string, error) {
	return EvalInRabbitMQ(ctx, expression, r.environment()...)
}

// EvalInRabbitMQ is the same for a broker that somebody else has started: by the variables that say which it is, among them HOME with its cookie.
func EvalInRabbitMQ(ctx context.Context, expression string, environment ...string) (string, error) {
	script, err := findRabbitMQ()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(script), "rabbitmqctl"), "eval", expression)
	cmd.Env = environment
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("rabbitmqctl eval: %w: %s", err, out)
	}
	return string(out), err
}
