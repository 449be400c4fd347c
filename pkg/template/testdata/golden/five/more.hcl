parameter "image" {
  type    = number
  default = "not a number"
}

resource "bocks" "db" {
}

resouce "box" "db" {
}
