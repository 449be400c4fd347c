template "settings" {
  version     = "1.0.0"
  parallelism = 0
}
parameter "wait" { type = string }
resource "box" "a" {
  image   = "x"
  timeout = "ten minutes"
  pool    = "No Pool"
  retry {
    attempts    = 0
    backoff     = "10s"
    max_backoff = "1s"
  }
  status {
    url      = "ftp://example.test"
    code     = 1000
    interval = "-1s"
  }
}
resource "box" "b" {
  image   = "x"
  timeout = resource.box.a.outputs.url
  retry {}
  retry { attempts = 2 }
}
resource "box" "c" {
  image   = "x"
  timeout = param.wait
}
resource "box" "d" {
  image = "x"
  status {
    url  = "tcp://example.test:80"
    host = "no host"
  }
}
entrypoint "e" { url = "no address" }
entrypoint "secret" { url = resource.box.a.outputs.password }
entrypoint "none" {}
