template "cycle" {
  version = "1.0.0"
}
locals {
  through = resource.box.third.outputs.url
}
resource "box" "first" {
  image = resource.box.second.outputs.url
}
resource "box" "second" {
  image = local.through
}
resource "box" "third" {
  image      = "x"
  depends_on = [resource.box.first]
}
