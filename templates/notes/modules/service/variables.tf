variable "name" {
  description = "Of the service."
  type        = string
}

variable "image" {
  description = "What it runs, with a version."
  type        = string

  validation {
    condition     = can(regex(":[^/:]+$", var.image))
    error_message = "An image needs a version, as in notes/api:1.4.2."
  }
}

variable "port" {
  description = "Where it listens."
  type        = number
}

variable "replicas" {
  description = "How many instances there are."
  type        = number
  default     = 1
}

variable "network_id" {
  description = "The network in which it runs."
  type        = string
}

variable "domain" {
  description = "The domain of its inner name."
  type        = string
}

variable "readers" {
  description = "Addresses of the databases that it reads from."
  type        = list(string)
  default     = []
}

variable "secrets" {
  description = "What it gets and nobody sees."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "seconds" {
  description = "How long it takes to be made."
  type        = number
  default     = 0
}
