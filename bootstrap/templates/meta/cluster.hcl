# What a Kubernetes needs besides. `vivarium bootstrap` says the first four.

parameter "namespace" {
  type        = string
  default     = ""
  description = "Where everything is in a cluster."
}

parameter "account" {
  type        = string
  default     = ""
  description = "The account of the namespace that the runner acts as."
}

parameter "image" {
  type        = string
  default     = ""
  description = "The image of server and runner; that of images unless given."
}

parameter "catalogue_files" {
  type        = map(string)
  default     = {}
  description = "The templates of the further environments, where they travel with the service and catalogue is empty."
}

parameter "storage_class" {
  type        = string
  default     = ""
  description = "Of the claims for volumes; the cluster's default unless given."
}

parameter "volume_size" {
  type        = string
  default     = "1Gi"
  description = "Of each claim."
}

locals {
  service   = param.image != "" ? param.image : param.images.service
  catalogue = "/vivarium/templates"

  # A cluster ends and begins anew what does not answer, and a broker that is ended while it begins for the first time is broken.
  patience = {
    interval = local.cluster ? "2s" : "1s"
    timeout  = local.cluster ? "5s" : null
    retries  = local.cluster ? 10 : null
    start    = local.cluster ? "5m" : null
    update   = local.cluster ? "6m" : null
  }
}
