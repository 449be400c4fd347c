package plugin

import (
	"crypto/sha256"
	"errors"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/vivarium-env/vivarium/pkg/executor/plugin/internal/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// running starts the program unless it runs.
func (p *Plugin) running() (*goplugin.Client, wire.ExecutorClient, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, fault.New(fault.Retry, fault.Cancelled, "the runner is stopping, and with it the plugin %s", p.name())
	}
	if p.process != nil && !p.process.Exited() {
		return p.process, p.calls, nil
	}
	process := goplugin.NewClient(p.config())
	calls, err := dispense(process)
	if err != nil {
		process.Kill()
		return nil, nil, p.notStarted(err)
	}
	p.process, p.calls = process, calls
	return process, calls, nil
}

func (p *Plugin) config() *goplugin.ClientConfig {
	cmd := exec.Command(p.options.Path) //nolint:gosec // the operator put it into the folder of plugins
	cmd.Env = append([]string{}, p.options.Environment...)
	cmd.SysProcAttr = attributes()
	return &goplugin.ClientConfig{
		HandshakeConfig:  handshake,
		Plugins:          goplugin.PluginSet{name: served{}},
		Cmd:              cmd,
		SkipHostEnv:      true,
		AutoMTLS:         true,
		SecureConfig:     &goplugin.SecureConfig{Checksum: p.checksum, Hash: sha256.New()},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		StartTimeout:     startTimeout,
		Logger:           hclog.NewNullLogger(),
		Stderr:           p.printed,
		GRPCDialOptions: []grpc.DialOption{grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage),
		)},
	}
}

func dispense(process *goplugin.Client) (wire.ExecutorClient, error) {
	protocol, err := process.Client()
	if err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense(name)
	if err != nil {
		return nil, err
	}
	calls, is := raw.(wire.ExecutorClient)
	if !is {
		return nil, errors.New("it does not speak gRPC")
	}
	return calls, nil
}

func (p *Plugin) notStarted(err error) error {
	if errors.Is(err, goplugin.ErrChecksumsDoNotMatch) {
		return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed,
			"the plugin %s is another file than when this runner began: start the runner anew, so that it is known what is run", p.options.Path)
	}
	return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed,
		"the plugin %s does not start as an executor of protocol version %d (%v): see its lines in the runner's log; build it anew for this "+
			"version of Vivarium and this machine, or take it out of its folder", p.options.Path, Version, err)
}

// stop ends the program that runs, if one does.
func (p *Plugin) stop() {
	p.mu.Lock()
	process := p.process
	p.process, p.calls = nil, nil
	p.mu.Unlock()
	if process != nil {
		process.Kill()
	}
}

// drop ends a program that is of no more use, unless that was done already.
func (p *Plugin) drop(process *goplugin.Client) {
	p.mu.Lock()
	if p.process == process {
		p.process, p.calls = nil, nil
	}
	p.mu.Unlock()
	process.Kill()
}
