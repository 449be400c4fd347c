# The notes service and what it stands on. It needs no cloud: its modules have nothing but terraform_data, and take a
# moment each, as the real things do. So to run one of them again makes nothing twice, whatever became of it before: that is
# said by "idempotent", and makes an end of it when a takeover leaves a step in doubt. Start here, then network.hcl,
# database.hcl and services.hcl.

template "notes" {
  version     = "1.0.0"
  description = "The notes service and what it stands on: a network, a replicated database and three services"
  tags        = ["sample", "team:notes"]
}

parameter "zones" {
  type        = list(string)
  default     = ["a", "b"]
  description = "Availability zones; each has a subnet and a replica of the database."

  validation {
    condition     = length(param.zones) >= 1 && length(param.zones) <= 3
    error_message = "One to three zones."
  }
  validation {
    condition     = length(distinct(param.zones)) == length(param.zones)
    error_message = "Each zone once."
  }
}

parameter "cidr" {
  type        = string
  default     = "10.40.0.0/16"
  description = "Address range of the network; every zone gets a part of 1/256."

  validation {
    condition     = can(cidrsubnet(param.cidr, 8, 255))
    error_message = "A range in CIDR notation with room for 256 subnets, such as 10.40.0.0/16."
  }
}

parameter "replicas" {
  type        = number
  default     = 2
  description = "Instances of every service."

  validation {
    condition     = param.replicas >= 1 && param.replicas <= 20
    error_message = "1 to 20 replicas."
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

parameter "pace" {
  type        = number
  default     = 1
  description = "How long everything takes: 1 is some fifteen seconds in all, 0 is as fast as it goes."

  validation {
    condition     = param.pace >= 0 && param.pace <= 60
    error_message = "0 to 60."
  }
}

locals {
  domain = "${environment.name}.${param.domain}"
}

entrypoint "web" {
  url         = "https://${local.domain}"
  description = "The notes themselves"
}

entrypoint "api" {
  url         = "https://${local.domain}/api"
  description = "Their API"
}

output "subnets" {
  description = "Address range of each zone"
  value       = resource.terraform.network.outputs.subnets
}

output "database" {
  description = "Where the database listens"
  value       = "${resource.terraform.database.outputs.host}:${resource.terraform.database.outputs.port}"
}

output "database_password" {
  description = "Of the database's owner"
  value       = resource.terraform.database.outputs.password
  sensitive   = true
}

output "schema" {
  description = "Version of the database's schema"
  value       = action.migrate.outputs.json.version
}

output "services" {
  description = "Inner address of each service"
  value       = { for name, service in resource.terraform.service : name => service.outputs.address }
}
