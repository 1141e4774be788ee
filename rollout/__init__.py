"""What is done to a live cluster: the checks before an install. The one importer of the Kubernetes client."""
