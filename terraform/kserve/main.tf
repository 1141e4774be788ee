# What KServe needs, KServe, and the models: each a Helm release of a pinned version.

resource "helm_release" "cert_manager" {
  name             = "cert-manager"
  repository       = "https://charts.jetstack.io"
  chart            = "cert-manager"
  version          = "v1.21.2"
  namespace        = "cert-manager"
  create_namespace = true

  set = [{ name = "crds.enabled", value = "true" }]
}

resource "helm_release" "gateway_api" {
  count = var.gateway_api ? 1 : 0

  name             = "gateway-api"
  repository       = "oci://docker.io/envoyproxy"
  chart            = "gateway-crds-helm"
  version          = "v1.9.1"
  namespace        = "gateway-api"
  create_namespace = true

  set = [
    { name = "crds.gatewayAPI.enabled", value = "true" },
    { name = "crds.gatewayAPI.channel", value = "standard" },
  ]
}

resource "helm_release" "istio_base" {
  name             = "istio-base"
  repository       = "https://istio-release.storage.googleapis.com/charts"
  chart            = "base"
  version          = "1.31.0"
  namespace        = "istio-system"
  create_namespace = true
}

# Sidecars without an init container that Pod Security would refuse.
resource "helm_release" "istio_cni" {
  name       = "istio-cni"
  repository = "https://istio-release.storage.googleapis.com/charts"
  chart      = "cni"
  version    = "1.31.0"
  namespace  = "istio-system"

  set = [{ name = "global.platform", value = var.platform }]

  depends_on = [helm_release.istio_base]
}

resource "helm_release" "istiod" {
  name       = "istiod"
  repository = "https://istio-release.storage.googleapis.com/charts"
  chart      = "istiod"
  version    = "1.31.0"
  namespace  = "istio-system"

  set = [
    { name = "global.platform", value = var.platform },
    { name = "pilot.cni.enabled", value = "true" },
    # Rules about paths would miss /v2/models/m/../n otherwise.
    { name = "meshConfig.pathNormalization.normalization", value = "DECODE_AND_MERGE_SLASHES" },
  ]

  depends_on = [helm_release.gateway_api, helm_release.istio_cni]
}

resource "helm_release" "kserve_crd" {
  name             = "kserve-crd"
  repository       = "oci://ghcr.io/kserve/charts"
  chart            = "kserve-crd"
  version          = "v0.20.0"
  namespace        = "kserve"
  create_namespace = true
}

resource "helm_release" "kserve" {
  name       = "kserve"
  repository = "oci://ghcr.io/kserve/charts"
  chart      = "kserve-resources"
  version    = "v0.20.0"
  namespace  = "kserve"

  set = [
    { name = "kserve.controller.deploymentMode", value = "Standard" },
    { name = "kserve.controller.gateway.domain", value = var.domain },
    { name = "kserve.controller.gateway.disableIstioVirtualHost", value = "true" },
    { name = "kserve.controller.gateway.ingressGateway.enableGatewayApi", value = "true" },
    { name = "kserve.controller.gateway.ingressGateway.kserveGateway", value = "kserve/kserve-ingress-gateway" },
  ]

  depends_on = [helm_release.cert_manager, helm_release.istiod, helm_release.kserve_crd]
}

resource "helm_release" "ground" {
  name      = "ground"
  chart     = "${path.module}/ground"
  namespace = "kserve"
  values    = [yamlencode({ namespace = var.namespace, domain = var.domain, tlsSecret = var.tls_secret, annotations = var.gateway_annotations })]

  depends_on = [helm_release.kserve]
}

resource "helm_release" "models" {
  name      = var.release
  chart     = "${path.module}/../../helm/sklearn-kserve"
  namespace = var.namespace
  timeout   = 600
  values    = concat(var.values, [yamlencode({ serviceAccount = { annotations = var.service_account_annotations } })])

  set = [
    { name = "route.enabled", value = "true" },
    { name = "route.domain", value = var.domain },
    { name = "route.gateway", value = "kserve-ingress-gateway" },
    { name = "route.gatewayNamespace", value = "kserve" },
    { name = "serviceAccount.name", value = var.service_account },
  ]

  depends_on = [helm_release.ground]
}
