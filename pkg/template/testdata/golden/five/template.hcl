template "five" {
  version = "1.2.0"
}

resource "box" "api" {
  image = param.imgae
  grup  = "x"
}
