variable "region" {
  description = "Region of the cluster and of the bucket."
  type        = string
}

variable "cluster" {
  description = "Name of an EKS cluster (Kubernetes 1.29 or newer) that has an IAM OIDC provider."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket for the models; it is made."
  type        = string
}

variable "domain" {
  description = "Domain of the hosts <model>-<namespace>.<domain>."
  type        = string
}

variable "namespace" {
  description = "Namespace of the models; it is made."
  type        = string
  default     = "models"
}

variable "tls_secret" {
  description = "TLS Secret in the namespace kserve for *.<domain>; without one the Gateway speaks plain HTTP."
  type        = string
  default     = ""
}

variable "values" {
  description = "Values of the chart, as YAML: at least its models."
  type        = string
}
