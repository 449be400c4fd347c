variable "network_id" {
  description = "The network that is protected."
  type        = string
}

variable "rules" {
  description = "What is let through, by name."
  type = map(object({
    from     = string
    port     = number
    protocol = optional(string, "tcp")
  }))

  validation {
    condition     = alltrue([for r in var.rules : r.port > 0 && r.port < 65536])
    error_message = "Ports are 1 to 65535."
  }
}

variable "seconds" {
  description = "How long it takes to be made."
  type        = number
  default     = 0
}
