# What the profile full is watched with, and the way in.

resource "helm_release" "telemetry" {
  for_each     = local.many
  group        = "telemetry"
  description  = "A collector of OpenTelemetry, Prometheus and Jaeger"
  chart        = "./charts/telemetry"
  name         = "vivarium-telemetry"
  wait_timeout = "10m"

  values = {
    images       = { collector = param.full_images.collector, prometheus = param.full_images.prometheus, jaeger = param.full_images.jaeger }
    targets      = { rabbitmq = "${local.broker_host}:15692" }
    storageClass = param.storage_class
    volumeSize   = param.sizes.metrics_volume
    resources    = local.requests
  }
}

resource "helm_release" "front" {
  for_each    = toset(local.full && param.api_host != "" ? ["full"] : [])
  group       = "service"
  description = "The way to the API from outside the cluster"
  chart       = "./charts/front"
  name        = "vivarium-front"

  values = {
    host        = param.api_host
    service     = split(".", resource.container.server.outputs.host)[0]
    port        = param.api_port
    certificate = param.api_certificate
    annotations = local.tls ? param.api_annotations : {}
  }
}

group "telemetry" {
  description = "What the rest is watched with"
}
