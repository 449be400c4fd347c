# The server has the data and no credentials but those of the bus (or a login that may have these of Vault) and of Consul; the runner has
# the credentials and no data.

locals {
  # Without a user, where Vault says who connects.
  connection = local.issued ? "${local.listener}/${local.user}" : local.bus
  roots = merge(
    local.secure || local.tls ? { "/vivarium/tls/ca.pem" = local.authority } : {},
    local.tls ? { "/vivarium/tls/vault.pem" = local.vault_ca } : {},
  )
  ca_file       = local.secure || local.tls ? "/vivarium/tls/ca.pem" : ""
  vault_ca_file = local.tls ? "/vivarium/tls/vault.pem" : ""
  # What the server and the runner take their credentials from; each logs in as itself.
  credentials = local.issued ? "vault:${resource.vault_rabbitmq.broker["vault"].outputs.path}" : ""
}

resource "container" "server" {
  group        = "service"
  description  = "The server; its store is on a volume"
  image        = local.service
  pull         = local.pull
  entrypoint   = [param.program]
  networks     = local.networks
  user         = local.root
  service_name = local.cluster && local.tls ? split(".", local.server_name)[0] : null
  command      = ["server", "--primary", "--await-handover"]
  stop_timeout = "40s"
  depends_on   = [resource.rabbitmq_cluster.broker, resource.arangodb_database.store]
  replicas     = local.full ? param.sizes.servers : 1

  env = merge(local.full ? {
    VIVARIUM_STORE          = local.store
    VIVARIUM_STORE_PASSWORD = resource.derived_secret.store_user.outputs.value
    } : {}, local.store_checked ? {
    VIVARIUM_STORE_CA_FILE = "/vivarium/tls/store.pem"
    } : {}, local.issued ? {
    VAULT_ADDR      = resource.vault_rabbitmq.broker["vault"].outputs.address
    VAULT_ROLE_ID   = resource.derived_secret.server_role.outputs.value
    VAULT_SECRET_ID = resource.derived_secret.server_secret.outputs.value
    VAULT_CACERT    = local.vault_ca_file
    } : {}, local.tls ? {
    VIVARIUM_LISTEN_CERT_FILE = "/vivarium/tls/certificate.pem"
    VIVARIUM_LISTEN_KEY_FILE  = "/vivarium/tls/key.pem"
    VIVARIUM_LISTEN_CA_FILE   = "/vivarium/tls/ca.pem"
    } : {}, local.cluster && local.tls ? {
    VIVARIUM_CONSUL_ADVERTISE = "${local.server_name}:${param.api_port}" # which its certificate is for, and not its pod's address
    } : {}, {
    VIVARIUM_KEY                  = param.key
    VIVARIUM_BUS                  = local.connection
    VIVARIUM_BUS_CREDENTIALS      = local.credentials
    VIVARIUM_BUS_CA_FILE          = local.ca_file
    VIVARIUM_DATA_DIR             = "/vivarium/data"
    VIVARIUM_LISTEN               = "${local.open}:${param.api_port}"
    VIVARIUM_CATALOGUE            = local.docker || param.catalogue == "" ? local.catalogue : param.catalogue
    VIVARIUM_PRIMARY_CLUSTER_NAME = resource.consul_cluster.consul.outputs.datacenter
    VIVARIUM_RUNNER_ENABLED       = "false"
    VIVARIUM_CONSUL               = resource.consul_cluster.consul.outputs.address
    VIVARIUM_CONSUL_TOKEN         = resource.derived_secret.consul_service.outputs.value
    VIVARIUM_CONSUL_CA_FILE       = local.tls ? "/vivarium/tls/ca.pem" : ""
    VIVARIUM_LOG_LEVEL            = param.log_level
  })

  files = merge(local.roots, local.store_checked ? { "/vivarium/tls/store.pem" = local.store_ca } : {}, local.tls ? {
    "/vivarium/tls/certificate.pem" = resource.vault_certificate.server["one"].outputs.certificate
    "/vivarium/tls/key.pem"         = resource.vault_certificate.server["one"].outputs.private_key
  } : {}, { for file, text in param.catalogue_files : "${local.catalogue}/${file}" => text })

  # With a store elsewhere nothing in the folder has to last.
  dynamic "volume" {
    for_each = local.full ? [] : ["service"]
    content {
      name      = local.docker ? null : volume.value
      host_path = local.docker ? "${param.folder}/volumes/service/data" : null
      path      = "/vivarium/data"
    }
  }
  dynamic "volume" {
    for_each = local.docker ? [param.catalogue] : [] # which processes see without it
    content {
      host_path = volume.value
      path      = local.catalogue
    }
  }
  port { container = param.api_port }
  update {
    order          = local.full ? "start_first" : "stop_first"
    health_timeout = local.patience.update
  }
  health {
    http {
      path = "/api/v1/self/liveliness"
      port = param.api_port
      tls  = local.tls
      ca   = local.tls ? local.authority : ""
    }
    interval     = local.patience.interval
    timeout      = local.patience.timeout
    retries      = local.patience.retries
    start_period = local.patience.start
  }
}

resource "container" "runner" {
  group        = "service"
  description  = "The runner of the pool default"
  image        = local.service
  pull         = local.pull
  entrypoint   = [param.program]
  networks     = local.networks
  user         = local.root
  command      = local.full ? ["runner", "--pool", "default"] : ["runner", "--pool", "default", "--name", "runner"]
  replicas     = local.full ? param.sizes.runners : 1
  stop_timeout = "40s"
  depends_on   = [resource.rabbitmq_cluster.broker]

  service_account = local.cluster ? param.account : null

  env = merge(local.docker ? {
    VIVARIUM_CONTAINER = "docker"
    DOCKER_HOST        = "unix:///var/run/docker.sock"
    } : {}, local.cluster ? {
    VIVARIUM_CONTAINER                = "kubernetes"
    VIVARIUM_DATA_DIR                 = "/vivarium/data"
    VIVARIUM_KUBERNETES_NAMESPACE     = param.namespace
    VIVARIUM_KUBERNETES_PORTS         = "cluster"
    VIVARIUM_KUBERNETES_STORAGE_CLASS = param.storage_class
    VIVARIUM_KUBERNETES_VOLUME_SIZE   = param.volume_size
    } : {}, local.docker || local.cluster ? {} : {
    VIVARIUM_CONTAINER        = "process"
    VIVARIUM_PROCESS_FOLDER   = param.folder
    VIVARIUM_PROCESS_PROGRAMS = join(",", param.programs)
    }, {
    VIVARIUM_BUS              = local.connection
    VIVARIUM_BUS_CREDENTIALS  = local.credentials
    VIVARIUM_BUS_CA_FILE      = local.ca_file
    VIVARIUM_CONSUL           = resource.consul_cluster.consul.outputs.address
    VIVARIUM_CONSUL_TOKEN     = resource.derived_secret.consul_service.outputs.value
    VIVARIUM_CONSUL_CA_FILE   = local.tls ? "/vivarium/tls/ca.pem" : ""
    VIVARIUM_LOG_LEVEL        = param.log_level
    CONSUL_HTTP_ADDR          = resource.consul_cluster.consul.outputs.address
    CONSUL_HTTP_TOKEN         = resource.derived_secret.consul_service.outputs.value
    CONSUL_CACERT             = local.tls ? "/vivarium/tls/ca.pem" : ""
    VAULT_CACERT              = local.vault_ca_file
    VAULT_ADDR                = resource.vault_cluster.vault.outputs.address
    VAULT_ROLE_ID             = resource.derived_secret.vault_role.outputs.value
    VAULT_SECRET_ID           = resource.derived_secret.vault_secret.outputs.value
  })
  files = local.roots

  dynamic "volume" {
    for_each = local.docker ? [param.engine] : [] # which processes see without it
    content {
      host_path = volume.value
      path      = "/var/run/docker.sock"
    }
  }
}

status "api" {
  url     = "${local.api}/api/v1/self/liveliness"
  ca      = local.tls ? local.authority : ""
  timeout = "1m"
}
