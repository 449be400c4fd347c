template "references" {
  version = "1.0.0"
}
parameter "regions" { type = list(string) }
locals {
  live   = resource.box.one.outputs.url
  self   = local.slef
  loop_a = each.key
}
resource "box" "one" { image = "x" }
resource "box" "many" {
  for_each = toset(param.regions)
  image    = each.kee
}
resource "box" "both" {
  for_each = toset(param.regions)
  count    = 2
  image    = "x"
}
resource "box" "late" {
  for_each = resource.box.one.outputs.url
  image    = "x"
}
resource "box" "later" {
  count = length(local.live)
  image = "x"
}
resource "box" "list" {
  for_each = param.regions
  image    = "x"
}
resource "box" "wrong" {
  group = "nowhere"
  image = resource.box.many.outputs.url
  size  = resource.box.one["eu"].outputs.port
  env = {
    A = resource.box.one.outputs.uri
    B = resource.box.won.outputs.url
    C = action.nothing.outputs.code
    D = environment.region
    E = count.index
    F = resource.box.one.url
    G = template.references.outputs.x
    H = somewhere.else
    I = resource.box
    J = uuid()
    K = unheard("x")
    L = file("../secret.txt")
    M = file("absent.txt")
  }
}
resource "box" "types" {
  image = ["not", "a", "text"]
  size  = "many"
  expose { prot = 80 }
  depends_on = [param.regions, resource.box.gone]
}
