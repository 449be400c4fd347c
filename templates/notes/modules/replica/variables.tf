variable "primary" {
  description = "Address of the database that is copied."
  type        = string
}

variable "zone" {
  description = "Where the copy is."
  type        = string
}

variable "subnet" {
  description = "Address range in which it listens."
  type        = string
}

variable "seconds" {
  description = "How long it takes to be made."
  type        = number
  default     = 0
}
