# What the tests apply: nothing of it needs a provider that has to be downloaded.

variable "name" {
  type    = string
  default = "sample"

  validation {
    condition     = var.name != "refused"
    error_message = "This name is refused."
  }
}

variable "settings" {
  type = object({
    size = number
    tags = optional(list(string), [])
  })
  default = { size = 1 }
}

variable "password" {
  type      = string
  default   = "none"
  sensitive = true
}

variable "gate" {
  description = "A file that the apply waits for."
  type        = string
  default     = ""
}

variable "failing" {
  type    = bool
  default = false
}

module "shared" {
  source = "../shared"
  name   = var.name
}

resource "terraform_data" "sample" {
  input = {
    name     = var.name
    settings = var.settings
    password = var.password
  }
}

resource "terraform_data" "waiting" {
  count = var.gate == "" ? 0 : 1
  input = var.gate

  provisioner "local-exec" {
    command     = "echo suite-is-underway; until [ -e \"$GATE\" ]; do sleep 0.05; done"
    environment = { GATE = var.gate }
  }
}

resource "terraform_data" "failing" {
  count = var.failing ? 1 : 0

  provisioner "local-exec" {
    command = "echo about to fail; exit 7"
  }
}
