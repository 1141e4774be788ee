output "bucket" {
  description = "Where to publish models: gs://<bucket>/<model>."
  value       = "gs://${google_storage_bucket.models.name}"
}

output "hosts" {
  description = "Pattern of the hosts that models are reached under."
  value       = module.kserve.hosts
}

output "address" {
  description = "Command that prints the Gateway's address."
  value       = module.kserve.address
}
