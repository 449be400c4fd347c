template "good" {
  version     = "1.2.0"
  description = "All that the language has"
  tags        = ["team:notes"]
  parallelism = 8
}
parameter "replicas" {
  type        = number
  default     = 2
  description = "How many"
  validation {
    condition     = param.replicas > 0
    error_message = "At least one replica."
  }
}
parameter "regions" {
  type = map(object({ zone = string, spare = optional(bool, false) }))
}
parameter "key" {
  type      = string
  default   = "hidden"
  sensitive = true
}
group "network" { description = "Below all" }
locals {
  tags  = merge({ team = "notes" }, local.more)
  more  = { env = environment.name }
  chain = resource.module.net.outputs.id
}
