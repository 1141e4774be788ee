data "google_client_config" "this" {}

data "google_project" "this" {}

data "google_storage_project_service_account" "this" {}

data "google_container_cluster" "this" {
  name     = var.cluster
  location = var.location
}

locals {
  service_account = "models"
  pool            = "projects/${data.google_project.this.number}/locations/global/workloadIdentityPools/${var.project}.svc.id.goog"
}

# --- the bucket

resource "google_kms_key_ring" "models" {
  name     = var.bucket
  location = var.region
}

resource "google_kms_crypto_key" "models" {
  name            = "models"
  key_ring        = google_kms_key_ring.models.id
  rotation_period = "7776000s"

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_member" "storage" {
  crypto_key_id = google_kms_crypto_key.models.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = data.google_storage_project_service_account.this.member
}

resource "google_storage_bucket" "models" {
  #checkov:skip=CKV_GCP_62:Reads show in Cloud Audit Logs, where a project has data access logs on
  name                        = var.bucket
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  encryption {
    default_kms_key_name = google_kms_crypto_key.models.id
  }

  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 90
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.storage]
}

# --- who may read it: the models' service account itself, by Workload Identity, without a key or an account of Google's

resource "google_storage_bucket_iam_member" "models" {
  bucket = google_storage_bucket.models.name
  role   = "roles/storage.objectViewer"
  member = "principal://iam.googleapis.com/${local.pool}/subject/ns/${var.namespace}/sa/${local.service_account}"
}

# --- what runs

module "kserve" {
  source = "../kserve"

  namespace       = var.namespace
  domain          = var.domain
  tls_secret      = var.tls_secret
  gateway_api     = false
  platform        = "gke"
  service_account = local.service_account
  values          = [file("${path.module}/values.yaml"), var.values]

  gateway_annotations = {
    "networking.gke.io/load-balancer-type" = "Internal"
  }

  depends_on = [google_storage_bucket_iam_member.models]
}
