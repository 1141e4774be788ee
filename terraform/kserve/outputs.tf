output "hosts" {
  description = "Pattern of the hosts that models are reached under."
  value       = "<model>-${var.namespace}.${var.domain}"
}

output "address" {
  description = "Command that prints the Gateway's address, for the DNS record of *.<domain>."
  value       = "kubectl --namespace kserve get gateway kserve-ingress-gateway --output jsonpath='{.status.addresses[0].value}'"

  depends_on = [helm_release.models]
}
