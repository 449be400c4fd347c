template "wrong" {
  version = "1.0.0"
}
parameter "network" {
  type    = string
  default = "x"
  validation {
    condition     = environment.shared.outputs.vpc == ""
    error_message = "No."
  }
}
parameter "token" {
  type      = string
  sensitive = true
}
locals {
  subnet = environment.shared.outputs.subnet
  bad    = "Not_A_Name"
  name   = resource.box.one.outputs.url
}
resource "box" "one" {
  image = environment.My_Net.outputs.x
  env = {
    A = environment
    B = environment.shared
    C = environment.name.outputs.x
    D = environment["name"].outputs.x
    E = environment.shared.outputs
    F = environment.shared.vpc
    G = environment[local.bad].outputs.x
    H = environment[local.name].outputs.x
    I = environment[environment.shared.outputs.next].outputs.x
    J = environment[param.token].outputs.x
    K = environment[param.nobody].outputs.x
    L = environment[param.network].vpc
    M = environment[each.key].outputs.x
    N = join(",", [for n in [param.network] : environment[n].outputs.x])
    O = environment[""].outputs.x
  }
}
resource "box" "many" {
  count = environment.shared.outputs.size
  image = "x"
  pool  = local.subnet
}
resource "box" "each" {
  for_each = toset([local.subnet])
  image    = "x"
}
resource "module" "net" {
  source     = environment.shared.outputs.source
  depends_on = [environment.shared.outputs.x]
}
