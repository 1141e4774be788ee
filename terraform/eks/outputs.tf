output "bucket" {
  description = "Where to publish models: s3://<bucket>/<model>."
  value       = "s3://${aws_s3_bucket.models.id}"
}

output "role" {
  description = "Role that the models' pods read the bucket by."
  value       = aws_iam_role.models.arn
}

output "hosts" {
  description = "Pattern of the hosts that models are reached under."
  value       = module.kserve.hosts
}

output "address" {
  description = "Command that prints the Gateway's address."
  value       = module.kserve.address
}
