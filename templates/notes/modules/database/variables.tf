variable "name" {
  description = "Of the database and its owner."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]*$", var.name))
    error_message = "Lower case letters, digits and \"_\", beginning with a letter."
  }
}

variable "network_id" {
  description = "The network in which it can be reached."
  type        = string
}

variable "subnet" {
  description = "Address range in which it listens."
  type        = string
}

variable "storage_gb" {
  description = "Size of its disk in gigabytes."
  type        = number

  validation {
    condition     = var.storage_gb >= 10
    error_message = "At least 10 GB."
  }
}

variable "settings" {
  description = "Of the database server."
  type        = map(number)
  default     = {}
}

variable "seconds" {
  description = "How long it takes to be made."
  type        = number
  default     = 0
}
