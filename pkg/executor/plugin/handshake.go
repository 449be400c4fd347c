package plugin

import (
	"context"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/vivarium-env/vivarium/pkg/executor/plugin/internal/wire"
)

// Version of the protocol. It grows with every change that an older side does not understand.
const Version = 1

const (
	name = "executor"
	// maxMessage is how many bytes a request, an answer or a state may have.
	maxMessage = 64 << 20
)

// handshake is no secret: it tells people who run a plugin by hand that this is not how it is meant.
var handshake = goplugin.HandshakeConfig{ProtocolVersion: Version, MagicCookieKey: "VIVARIUM_EXECUTOR_PLUGIN", MagicCookieValue: "1"}

// served is what go-plugin asks of either side.
type served struct {
	goplugin.NetRPCUnsupportedPlugin
	server wire.ExecutorServer
}

func (s served) GRPCServer(_ *goplugin.GRPCBroker, to *grpc.Server) error {
	wire.RegisterExecutorServer(to, s.server)
	return nil
}

func (served) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return wire.NewExecutorClient(c), nil
}
