# The image of the service, which `vivarium bootstrap` makes of itself and puts where containers find it, before all of this.

parameter "image_pull" {
  type        = string
  default     = ""
  description = "When the image of server and runner is pulled: missing unless given, always or never. What a bootstrap loads into Docker can't be pulled."

  validation {
    condition     = contains(["", "missing", "always", "never"], param.image_pull)
    error_message = "missing, always or never."
  }
}

locals {
  pull = param.image_pull != "" ? param.image_pull : null
}
