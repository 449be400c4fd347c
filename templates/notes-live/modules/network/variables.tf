variable "name" {
  description = "Of the network."
  type        = string
}

variable "environment" {
  description = "That it belongs to."
  type        = string
}

variable "cidr" {
  description = "Its address range; Docker takes a free one unless given."
  type        = string
  default     = ""

  validation {
    condition     = var.cidr == "" || can(cidrnetmask(var.cidr))
    error_message = "An IPv4 range in CIDR notation."
  }
}
