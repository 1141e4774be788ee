variable "project" {
  description = "Project of the cluster and of the bucket."
  type        = string
}

variable "region" {
  description = "Region of the bucket and of its key."
  type        = string
}

variable "cluster" {
  description = "Name of a GKE cluster (Kubernetes 1.29 or newer) with Workload Identity and the Gateway API (--gateway-api=standard)."
  type        = string
}

variable "location" {
  description = "Region or zone of the cluster."
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
