# Stands for something that a provider would make: it has an id, and takes a while. The modules beside this one are
# made of it, so that the sample needs no provider that has to be downloaded.

variable "kind" {
  description = "What is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+$", var.kind))
    error_message = "Lower case letters, digits and \"-\"."
  }
}

variable "properties" {
  description = "What it is made like; a change is an update in place."
  type        = any
  default     = {}
}

variable "seconds" {
  description = "How long it takes to be made."
  type        = number
  default     = 0

  validation {
    condition     = var.seconds >= 0 && var.seconds <= 600
    error_message = "0 to 600 seconds."
  }
}

resource "terraform_data" "this" {
  input = var.properties

  provisioner "local-exec" {
    command = "echo making the ${var.kind}; sleep ${var.seconds}; echo the ${var.kind} is ready"
  }
}

output "id" {
  description = "Of what was made."
  value       = "${var.kind}-${substr(terraform_data.this.id, 0, 8)}"
}

output "unique" {
  description = "Known to nobody before, and the same from then on."
  value       = terraform_data.this.id
}
