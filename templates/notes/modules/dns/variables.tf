variable "domain" {
  description = "Whose names the zone holds."
  type        = string
}

variable "network_id" {
  description = "The network in which the inner names can be asked for."
  type        = string
}

variable "seconds" {
  description = "How long it takes to be made."
  type        = number
  default     = 0
}
