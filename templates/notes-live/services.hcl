group "services" {
  description = "The containers"
}

locals {
  password_file = "/run/secrets/database-password"
}

resource "container" "database" {
  group       = "services"
  description = "Keeps the notes on a volume"
  image       = param.image
  command     = ["database"]
  networks    = [resource.terraform.network.outputs.name]
  files       = { (local.password_file) = resource.vault_secret.database.outputs.data["password"] }

  env = {
    DATA_FILE              = "/data/notes.json"
    DATABASE_PASSWORD_FILE = local.password_file
  }

  volume {
    name = "vivarium-${environment.name}-notes"
    path = "/data"
  }
  health {
    http {
      path = "/health"
      port = 8080
    }
  }
  update {
    order = "stop_first" # one at a time has the volume
  }
}

resource "container" "api" {
  group       = "services"
  description = "Takes and lists notes"
  depends_on  = [resource.container.database]
  image       = param.image
  command     = ["api"]
  replicas    = param.replicas
  networks    = [resource.terraform.network.outputs.name]
  files       = { (local.password_file) = resource.vault_secret.database.outputs.data["password"] }

  env = {
    DATABASE_URL           = "http://database:8080"
    DATABASE_PASSWORD_FILE = local.password_file
    CONSUL_HTTP_ADDR       = param.consul
    SETTINGS_PREFIX        = resource.consul_kv.settings.outputs.prefix
  }

  limits {
    cpu    = 0.5
    memory = "64Mi"
  }
  expose {
    host = local.host
    path = "/api"
    port = 8080
  }
  health {
    http {
      path = "/health"
      port = 8080
    }
  }
  status {
    url     = "${param.gateway}/api/health"
    host    = local.host
    timeout = "1m"
  }
}

resource "container" "web" {
  group       = "services"
  description = "A page with all notes"
  depends_on  = [resource.container.api]
  image       = param.image
  command     = ["web"]
  networks    = [resource.terraform.network.outputs.name]
  env         = { API_URL = "http://api:8080" }

  expose {
    host = local.host
    port = 8080
  }
  health {
    http {
      path = "/health"
      port = 8080
    }
  }
}

# People come in by the gateway, so that is where it is looked whether they would find anything.
status "page" {
  group   = "services"
  url     = "${param.gateway}/"
  host    = local.host
  timeout = "1m"
}
