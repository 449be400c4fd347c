template "consumption" {
  version = "1.0.0"
}
parameter "network" { type = string }
parameter "zones" { type = list(string) }
locals {
  base   = "shared"
  subnet = environment.shared.outputs.subnet
}
resource "box" "api" {
  image = environment.shared.outputs.registry
  env = {
    NAME   = environment.name
    VPC    = environment[param.network].outputs.vpc.id
    BASE   = environment[local.base].outputs["image"]
    DIGITS = environment["1-2"].outputs.x
    SUBNET = local.subnet
  }
}
resource "box" "zone" {
  for_each = toset(param.zones)
  image    = environment["${each.key}-network"].outputs.image
  status { url = "http://${environment.gateway.outputs.host}/${each.key}" }
}
action "migrate" { command = ["migrate", environment.shared.outputs.database] }
status "web" { url = environment.gateway.outputs.url }
output "vpc" { value = environment[param.network].outputs.vpc }
entrypoint "web" { url = "https://${local.subnet}.example.test" }
