package plugin

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/plugin/internal/wire"
)

// Serve makes a program an executor: call it in main, and nothing else. It returns when the runner has no more need of it.
// The Kind has to be one that can be told in data: attributes (hcldec.AttrSpec, template.SensitiveSpec) and blocks
// (hcldec.BlockSpec, BlockListSpec, BlockMapSpec) of an hcldec.ObjectSpec, and no Inspect. Bring the executor through
// executortest.Run behind Load: it is held to the same contract as those inside.
func Serve(e executor.Executor) {
	description, err := describe(e.Kind())
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, description.Targets = e.(executor.Targeter)
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         goplugin.PluginSet{name: served{server: &server{executor: e, description: description}}},
		Logger:          hclog.NewNullLogger(),
		GRPCServer: func(o []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(o, grpc.MaxRecvMsgSize(maxMessage))...)
		},
	})
}

// server is the plugin's side.
type server struct {
	wire.UnimplementedExecutorServer
	executor    executor.Executor
	description *wire.Description
}

func (s *server) Describe(context.Context, *wire.DescribeRequest) (*wire.Description, error) {
	return s.description, nil
}

func (s *server) Target(_ context.Context, r *wire.Request) (*wire.TargetAnswer, error) {
	if t, is := s.executor.(executor.Targeter); is {
		return &wire.TargetAnswer{Target: t.Target(fromRequest(r))}, nil
	}
	return &wire.TargetAnswer{}, nil
}
