package servers

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
)

// prepare writes what the broker reads: its configuration, no plugins, and a cookie that nobody else knows.
func (r *RabbitMQ) prepare() error {
	for _, name := range []string{"home", "data", "log"} {
		if err := os.MkdirAll(filepath.Join(r.dir, name), 0o700); err != nil {
			return err
		}
	}
	configuration := fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%d
distribution.listener.interface = 127.0.0.1
raft.wal_max_size_bytes = 64000000
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.file = false
`, r.port)
	plugins := "[].\n"
	if r.manage != 0 {
		configuration += fmt.Sprintf("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = %d\n", r.manage)
		plugins = "[rabbitmq_management].\n"
	}
	for name, content := range map[string]string{"rabbitmq.conf": configuration, "enabled_plugins": plugins, "advanced.config": "[].\n"} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	cookie := filepath.Join(r.dir, "home", ".erlang.cookie")
	if _, err := os.Stat(cookie); err == nil {
		return nil
	}
	return os.WriteFile(cookie, []byte(rand.Text()), 0o400)
}

// environment is that of the process without what would lead the broker to somebody else's files.
func (r *RabbitMQ) environment() []string {
	in := func(name string) string { return filepath.Join(r.dir, name) }
	return append(environmentWithout(in("home"), "RABBITMQ_", "ERL_"),
		fmt.Sprint("ERL_EPMD_PORT=", r.epmd),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_CRASH_DUMP="+in("erl_crash.dump"),
		"RABBITMQ_NODENAME="+r.node,
		fmt.Sprint("RABBITMQ_NODE_PORT=", r.port),
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		fmt.Sprint("RABBITMQ_DIST_PORT=", r.dist),
		"RABBITMQ_MNESIA_BASE="+in("data"),
		"RABBITMQ_LOG_BASE="+in("log"),
		"RABBITMQ_CONFIG_FILE="+in("rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE="+in("advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+in("enabled_plugins"),
		"RABBITMQ_CONF_ENV_FILE="+in("no-rabbitmq-env.conf"),
		// With this the script becomes the broker instead of waiting for it as a shell, so that our child is the broker itself.
		"RABBITMQ_ALLOW_INPUT=1",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput +S 2:2",
	)
}
