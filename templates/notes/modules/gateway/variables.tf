variable "domain" {
  description = "Under which it is found."
  type        = string
}

variable "firewall_id" {
  description = "What protects it."
  type        = string
}

variable "routes" {
  description = "Address of the service for each path."
  type        = map(string)

  validation {
    condition     = alltrue([for path, _ in var.routes : startswith(path, "/")])
    error_message = "Paths begin with a slash."
  }
}

variable "seconds" {
  description = "How long it takes to be made."
  type        = number
  default     = 0
}
