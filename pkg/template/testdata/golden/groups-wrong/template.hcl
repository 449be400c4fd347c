template "groups" {
  version = "1.0.0"
}
group "app" {
  depends_on = [group.data]
}
group "data" {
  depends_on = [group.network]
}
group "network" {
  depends_on = [group.app, group.netwrok, "data", resource.box.one]
}
group "other" {
  depends_on = group.app
}
resource "box" "one" {
  group = "app"
  image = "x"
}
