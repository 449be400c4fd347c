# The notes service with real parts: what template "notes" only plays, this one does. Its runner needs OpenTofu, a Docker
# daemon, Consul and Vault; people reach it through a Traefik that routes to the daemon's containers. Start here, then
# base.hcl and services.hcl.
#
# The image is made from the folder app, without any other:
#
#   CGO_ENABLED=0 go build -o notes ./templates/notes-live/app
#   tar -c notes | docker import --change 'ENTRYPOINT ["/notes"]' - notes:1.0.0

template "notes-live" {
  version     = "1.0.0"
  description = "The notes service with real parts: OpenTofu, Vault, Consul, and containers behind Traefik"
  tags        = ["sample", "team:notes"]
}

parameter "consul" {
  type        = string
  description = "Host and port at which the containers reach Consul."

  validation {
    condition     = can(regex("^[a-z0-9.-]+:[0-9]+$", param.consul))
    error_message = "A host and a port, such as consul.example.test:8500."
  }
}

parameter "gateway" {
  type        = string
  description = "URL at which Traefik is reached, to look whether it routes."

  validation {
    condition     = can(regex("^https?://[a-z0-9.:-]+$", param.gateway))
    error_message = "A URL without a path, such as http://traefik.example.test."
  }
}

parameter "image" {
  type        = string
  default     = "notes:1.0.0"
  description = "The service's image, made from the folder app."
}

parameter "replicas" {
  type        = number
  default     = 2
  description = "Instances of the API."

  validation {
    condition     = param.replicas >= 1 && param.replicas <= 20
    error_message = "1 to 20 replicas."
  }
}

parameter "title" {
  type        = string
  default     = "Notes"
  description = "Stands above the notes."

  validation {
    condition     = length(param.title) >= 1
    error_message = "A title has a character at least."
  }
}

parameter "longest" {
  type        = number
  default     = 500
  description = "How long a note may be, in bytes."

  validation {
    condition     = param.longest >= 1 && floor(param.longest) == param.longest
    error_message = "A whole number from 1 on."
  }
}

parameter "domain" {
  type        = string
  default     = "example.test"
  description = "The environment is found under its name in this domain."

  validation {
    condition     = can(regex("^[a-z0-9-]+([.][a-z0-9-]+)+$", param.domain))
    error_message = "A domain name in lower case, such as example.test."
  }
}

parameter "cidr" {
  type        = string
  default     = ""
  description = "Address range of the network; Docker takes a free one unless given."
}

locals {
  host = "${environment.name}.${param.domain}"
}

entrypoint "web" {
  url         = "http://${local.host}"
  description = "The notes themselves"
}

entrypoint "api" {
  url         = "http://${local.host}/api/notes"
  description = "Their API"
}

output "network" {
  description = "The network that the containers are on"
  value       = resource.terraform.network.outputs.name
}

output "settings" {
  description = "The keys in Consul below which the settings are"
  value       = resource.consul_kv.settings.outputs.prefix
}

output "password" {
  description = "Of the database"
  value       = resource.vault_secret.database.outputs.data["password"]
  sensitive   = true
}
