variable "namespace" {
  description = "Namespace of the models; it is made, and enforces Pod Security restricted."
  type        = string
  default     = "models"
}

variable "release" {
  description = "Name of the chart's release."
  type        = string
  default     = "models"
}

variable "domain" {
  description = "Domain of the hosts <model>-<namespace>.<domain>."
  type        = string
}

variable "tls_secret" {
  description = "TLS Secret in the namespace kserve with a certificate for *.<domain>; without one the Gateway speaks plain HTTP."
  type        = string
  default     = ""
}

variable "gateway_annotations" {
  description = "Annotations of the Gateway's Service, by which a cloud makes its load balancer."
  type        = map(string)
  default     = {}
}

variable "gateway_api" {
  description = "Install the Gateway API's CRDs; off where the cluster brings its own."
  type        = bool
  default     = true
}

variable "platform" {
  description = "What Istio is to know of the cluster (global.platform), such as gke."
  type        = string
  default     = ""
}

variable "service_account" {
  description = "Name of the service account that the models' pods read the bucket by."
  type        = string
  default     = "models"
}

variable "service_account_annotations" {
  description = "Annotations of that service account, such as a cloud role."
  type        = map(string)
  default     = {}
}

variable "values" {
  description = "Values of the chart (helm/sklearn-kserve), as YAML documents of which later ones win: at least its models."
  type        = list(string)
}
