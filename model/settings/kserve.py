"""
What KServe gives every model server by flag and by variable.

References
----------
KServe 0.21, ``kserve/model_server.py`` and the sklearnserver runtime.
"""

from typing import Final

VARIABLES: Final = {"PORT": "http_port", "PREDICT_PROBA": "predict_proba", "PROTOCOL": "protocol"}
"""Variables that KServe or Knative set, and the settings they are. A setting's own variable goes before."""

IGNORED_FLAGS: Final = {
    "max_threads": "threads of KServe's gRPC server",
    "max_asyncio_workers": "threads of KServe's event loop; models run in `--threads`",
    "configure_logging": "the log is always JSON on stdout",
    "log_config_file": "the log is always JSON on stdout",
    "access_log_format": "`--enable_latency_logging` gives a line per request",
    "event_loop": "always uvloop",
    "predictor_host": "of transformers",
    "predictor_protocol": "of transformers",
    "predictor_use_ssl": "of transformers",
    "predictor_request_timeout_seconds": "of transformers",
    "predictor_request_retries": "of transformers",
    "enable_predictor_health_check": "of transformers",
}
"""KServe's flags that have no meaning here, and why."""
