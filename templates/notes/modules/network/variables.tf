variable "name" {
  description = "Of the network."
  type        = string
}

variable "cidr" {
  description = "Address range of the network."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr))
    error_message = "An IPv4 range in CIDR notation."
  }
}

variable "zones" {
  description = "Zones that get a subnet."
  type        = list(string)

  validation {
    condition     = length(var.zones) > 0
    error_message = "At least one zone."
  }
}

variable "seconds" {
  description = "How long it takes to be made."
  type        = number
  default     = 0
}
