# What needs a provider: the sample of test/servers, whose resource is a file.

terraform {
  required_providers {
    sample = { source = "example.test/vivarium/sample" }
  }
}

variable "path" {
  type = string
}

variable "content" {
  type    = string
  default = "as planned"
}

variable "token" {
  type      = string
  default   = null
  sensitive = true
}

variable "crash" {
  type    = string
  default = null
}

variable "gate" {
  type    = string
  default = null
}

variable "announce" {
  description = "Whether the apply says that it is under way."
  type        = bool
  default     = false
}

resource "terraform_data" "announcement" {
  count = var.announce ? 1 : 0

  provisioner "local-exec" {
    command = "echo suite-is-underway"
  }
}

resource "sample_file" "this" {
  path    = var.path
  content = var.content
  token   = var.token
  crash   = var.crash
  gate    = var.gate

  depends_on = [terraform_data.announcement]
}

output "path" {
  value = sample_file.this.path
}
