# In a cluster the broker has one within its pod, which it starts.
resource "container" "mapper" {
  for_each    = toset(local.cluster ? [] : ["host"])
  group       = "base"
  description = "Erlang's port mapper, which the broker asks"
  stop_timeout = "1s" # as the first process of a container it does not hear that it shall end
  image       = param.images.broker
  entrypoint  = ["epmd"]
  networks    = local.networks
  user        = local.root
  command     = ["-port", tostring(param.erlang_ports.mapper), "-address", local.host]

  port { container = param.erlang_ports.mapper }
  update { order = "stop_first" }
  health {
    tcp { port = param.erlang_ports.mapper }
    interval = "1s"
  }
}

moved {
  from = resource.container.mapper
  to   = resource.container.mapper["host"]
}

resource "container" "broker" {
  for_each     = local.once
  group        = "base"
  description  = "RabbitMQ"
  image        = param.images.broker
  entrypoint   = ["rabbitmq-server"]
  networks     = local.networks
  user         = local.root
  service_name = local.cluster && local.tls ? split(".", local.broker_name)[0] : null
  stop_timeout = "30s"
  depends_on   = [resource.container.mapper]

  env = merge(local.docker || local.cluster ? { HOME = "/" } : {}, {
    ERL_EPMD_PORT                  = tostring(param.erlang_ports.mapper)
    ERL_EPMD_ADDRESS               = local.host
    ERL_CRASH_DUMP                 = "/broker/data/erl_crash.dump"
    RABBITMQ_NODENAME              = "vivarium@localhost"
    RABBITMQ_NODE_PORT             = tostring(param.amqp_port)
    RABBITMQ_NODE_IP_ADDRESS       = local.quiet ? local.host : local.open
    RABBITMQ_DIST_PORT             = tostring(param.erlang_ports.distribution)
    RABBITMQ_MNESIA_BASE           = "/broker/data"
    RABBITMQ_LOG_BASE              = "/broker/data"
    RABBITMQ_CONFIG_FILE           = "/broker/rabbitmq.conf"
    RABBITMQ_ADVANCED_CONFIG_FILE  = "/broker/advanced.config"
    RABBITMQ_ENABLED_PLUGINS_FILE  = "/broker/enabled_plugins"
    RABBITMQ_CONF_ENV_FILE         = "/broker/rabbitmq-env.conf"
    RABBITMQ_ALLOW_INPUT           = "1" # the script becomes the broker, and does not wait for it
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS = "-noinput"
  })

  # In containers the broker makes up a cookie of its own: files are readable by all there, which it refuses.
  files = merge(local.docker || local.cluster ? {} : { "/.erlang.cookie" = resource.derived_secret.broker_cookie.outputs.value }, {
    "/broker/rabbitmq-env.conf" = ""
    "/broker/advanced.config"   = "[].\n"
    "/broker/enabled_plugins"   = "[rabbitmq_management].\n"
    "/broker/rabbitmq.conf"     = join("\n", concat([local.secure ? <<-TLS
      listeners.ssl.1 = ${local.open}:${param.amqps_port}
      ssl_options.cacertfile = /broker/tls/ca.pem
      ssl_options.certfile = /broker/tls/certificate.pem
      ssl_options.keyfile = /broker/tls/key.pem
      ssl_options.verify = verify_none
      ssl_options.fail_if_no_peer_cert = false
      ssl_options.versions.1 = tlsv1.3
      ssl_options.versions.2 = tlsv1.2
    TLS
    : ""], [<<-EOT
      listeners.tcp.1 = ${local.quiet ? local.host : local.open}:${param.amqp_port}
      distribution.listener.interface = ${local.host}
      management.${local.quiet ? "ssl" : "tcp"}.ip = ${local.open}
      management.${local.quiet ? "ssl" : "tcp"}.port = ${param.management_port}
      default_user = administrator
      default_pass = ${resource.derived_secret.broker_administrator.outputs.value}
      disk_free_limit.absolute = 50MB
      log.console = true
      log.console.level = warning
      log.file = false
    EOT
      ], local.quiet ? [<<-TLS
      management.ssl.cacertfile = /broker/tls/management-ca.pem
      management.ssl.certfile = /broker/tls/management.pem
      management.ssl.keyfile = /broker/tls/management-key.pem
      management.ssl.verify = verify_none
    TLS
    ] : []))
    }, local.quiet ? {
    "/broker/tls/management-ca.pem"  = resource.derived_certificate.management["broker"].outputs.ca
    "/broker/tls/management.pem"     = resource.derived_certificate.management["broker"].outputs.certificate
    "/broker/tls/management-key.pem" = resource.derived_certificate.management["broker"].outputs.private_key
    } : {}, local.secure ? {
    "/broker/tls/ca.pem"          = resource.vault_certificate.broker["broker"].outputs.ca
    "/broker/tls/certificate.pem" = resource.vault_certificate.broker["broker"].outputs.certificate
    "/broker/tls/key.pem"         = resource.vault_certificate.broker["broker"].outputs.private_key
  } : {})

  volume {
    name = "${local.volumes}broker"
    path = "/broker/data"
  }
  dynamic "port" {
    for_each = concat(local.quiet ? [] : [param.amqp_port], local.secure ? [param.amqps_port] : [])
    content { container = port.value }
  }
  port { container = param.management_port }
  port { container = param.erlang_ports.distribution }
  update {
    order          = "stop_first"
    health_timeout = local.patience.update
  }
  health {
    http {
      path = "/"
      port = param.management_port
      tls  = local.quiet ? true : null
      ca   = local.quiet ? local.management_ca : null
    }
    interval     = local.patience.interval
    timeout      = local.patience.timeout
    retries      = local.patience.retries
    start_period = coalesce(local.patience.start, "30s")
  }
}

moved {
  from = resource.container.broker
  to   = resource.container.broker["one"]
}

moved {
  from = resource.container.consul
  to   = resource.container.consul["one"]
}

resource "container" "consul" {
  for_each    = local.once
  group       = "base"
  description = "Where services find each other"
  image       = param.images.consul
  entrypoint  = ["consul"]
  networks    = local.networks
  user        = local.root
  command     = ["agent", "-config-file", "/consul/consul.json"]

  service_name = local.cluster && local.tls ? split(".", local.consul_name)[0] : null

  files = merge({
    "/consul/consul.json" = jsonencode(merge({
      server               = true
      bootstrap_expect     = 1
      datacenter           = param.datacenter
      node_name            = "vivarium"
      node_id              = resource.derived_secret.consul_node.outputs.value # a file of it that a full disk cut off would be in the way for good
      data_dir             = "/consul/data"
      bind_addr            = local.host
      client_addr          = local.open
      encrypt              = resource.derived_secret.gossip.outputs.value
      log_level            = "warn"
      disable_update_check = true
      leave_on_terminate   = false
      ui_config            = { enabled = true }
      connect              = { enabled = false }
      performance          = { raft_multiplier = 1 }
      acl                  = { enabled = true, default_policy = "deny", enable_token_persistence = true }
      ports = {
        http     = local.tls ? -1 : param.consul_ports.http
        server   = param.consul_ports.server
        serf_lan = param.consul_ports.lan
        serf_wan = param.consul_ports.wan
        https    = local.tls ? param.consul_ports.http : -1
        grpc     = -1
        grpc_tls = -1
        dns      = -1
      }
      }, { for setting, value in {
        # It checks the service by HTTPS, too.
        enable_agent_tls_for_checks = true
        tls = {
          defaults     = { ca_file = "/consul/tls/ca.pem", cert_file = "/consul/tls/certificate.pem", key_file = "/consul/tls/key.pem", verify_outgoing = true }
          internal_rpc = { verify_incoming = true, verify_server_hostname = true }
        }
    } : setting => value if local.tls }))
    }, local.tls ? {
    "/consul/tls/ca.pem"          = resource.vault_certificate.consul["one"].outputs.ca
    "/consul/tls/certificate.pem" = resource.vault_certificate.consul["one"].outputs.certificate
    "/consul/tls/key.pem"         = resource.vault_certificate.consul["one"].outputs.private_key
  } : {})

  volume {
    name = "${local.volumes}consul"
    path = "/consul/data"
  }
  port { container = param.consul_ports.http }
  port { container = param.consul_ports.server }
  port { container = param.consul_ports.lan }
  port { container = param.consul_ports.wan }
  update {
    order          = "stop_first"
    health_timeout = local.patience.update
  }
  health {
    http {
      path = "/v1/status/leader"
      port = param.consul_ports.http
      tls  = local.tls
      ca   = local.tls ? local.authority : ""
    }
    interval     = local.patience.interval
    timeout      = local.patience.timeout
    retries      = local.patience.retries
    start_period = local.patience.start
  }
}

# Vault's own certificate can't be of its authority, which is within it. It lives as long as who has issued it, since a new one would seal Vault.
resource "derived_certificate" "vault" {
  for_each    = local.trusted
  group       = "base"
  description = "The certificate of Vault's listener"
  authority   = "${param.datacenter} bootstrap"
  common_name = "vault.${param.datacenter}.internal"
  names       = concat(["localhost"], local.vault_names)
  addresses   = [local.host]
}

# Vault's engine, which makes users there, takes no authority but those of its machine, so it is told this one as one of them: before it begins, when its own
# issues nothing yet.
resource "derived_certificate" "management" {
  for_each    = toset(local.quiet ? ["broker"] : [])
  group       = "base"
  description = "The certificate of the broker's management"
  authority   = "${param.datacenter} broker"
  common_name = "management.${param.datacenter}.internal"
  names       = ["localhost", local.broker_name]
  addresses   = [local.host]
}

resource "container" "vault" {
  for_each    = local.once
  group       = "base"
  description = "Where secrets are kept"
  image       = param.images.vault
  entrypoint  = ["vault"]
  networks    = local.networks
  user        = local.root
  command     = concat(["server", "-config", "/vault/vault.hcl"], local.seals ? ["-config", "/vault/seal.hcl"] : [])

  service_name = local.cluster && local.tls ? split(".", local.vault_name)[0] : null

  files = merge(local.seals ? { "/vault/seal.hcl" = param.vault_seal } : {}, {
    "/vault/vault.hcl" = <<-EOT
      disable_mlock = true
      ui            = true
      log_level     = "warn"
      api_addr      = "${local.scheme}://${local.host}:${param.vault_ports.http}"
      cluster_addr  = "https://${local.host}:${param.vault_ports.cluster}"
      storage "raft" {
        path                   = "/vault/data"
        node_id                = "one"
        performance_multiplier = 1
      }
      listener "tcp" {
        address       = "${local.open}:${param.vault_ports.http}"
        tls_disable   = ${!local.tls}
        tls_cert_file = "/vault/tls/certificate.pem"
        tls_key_file  = "/vault/tls/key.pem"
      }
    EOT
    }, local.tls ? {
    "/vault/tls/certificate.pem" = resource.derived_certificate.vault["one"].outputs.certificate
    "/vault/tls/key.pem"         = resource.derived_certificate.vault["one"].outputs.private_key
    } : {}, local.quiet ? {
    "/etc/ssl/certs/vivarium-broker.pem" = local.management_ca # where programs in Go look for authorities
  } : {})

  volume {
    name = "${local.volumes}vault"
    path = "/vault/data"
  }
  port { container = param.vault_ports.http }
  port { container = param.vault_ports.cluster }
  update {
    order          = "stop_first"
    health_timeout = local.patience.update
  }
  health {
    # Sealed, and with no keys yet, it is as well as it can be: what initialises it comes next.
    http {
      path = "/v1/sys/health?uninitcode=200&sealedcode=200&standbyok=true"
      port = param.vault_ports.http
      tls  = local.tls
      ca   = local.vault_ca
    }
    interval     = local.patience.interval
    timeout      = local.patience.timeout
    retries      = local.patience.retries
    start_period = local.patience.start
  }
}
