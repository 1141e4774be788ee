"""Every setting: its name, default, limits and meaning."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

KSERVE_MESSAGE_BYTES: Final = 8 * 1024 * 1024
"""KServe's limit of a gRPC message."""

Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]


def _split(value: Any) -> Any:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Schema(BaseModel):
    """
    The table of settings, each value checked by itself.

    Each field but ``ignored`` is a flag ``--name`` and an environment variable ``SKLEARN_KSERVE_NAME``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model_dir: Path = Field(
        Path("/mnt/models"), description="Directory of one artifact, or of one model's versions, named by integers."
    )
    model_name: str | None = Field(
        None,
        min_length=1,
        description="Name under which `--model_dir` is served.",
        json_schema_extra={"default": "model"},
    )
    model_root: Path | None = Field(
        None, description="Directory of several models: every `R/<name>/<version>/` is served. Excludes `--model_dir`."
    )
    watch_seconds: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds between two looks for versions and models that are new, changed or gone; 0 takes what is there at the start.",
    )
    max_versions: Count = Field(
        3, description="Versions of a model kept loaded: so many of the newest that answer, and the champion."
    )
    default_model: str | None = Field(
        None,
        min_length=1,
        description="Model that answers `POST /predict` and requests without a model name.",
        json_schema_extra={"default": "the only model there is"},
    )
    require_manifest: bool = Field(
        default=False, description="Refuse artifacts without a manifest, whose files nothing vouches for."
    )
    skops_trusted: Annotated[tuple[str, ...], BeforeValidator(_split)] = Field(
        (), description="Types that a `model.skops` may hold besides those that skops trusts itself, by full name."
    )
    verify_key: Annotated[tuple[Path, ...], BeforeValidator(_split)] = Field(
        (),
        description="PEM files of public keys: only versions that one of these has signed are loaded (`sklearn-kserve sign`).",
    )
    code_dir: Path | None = Field(
        None, description="Directory put on the import path, for the modules of your own transformers."
    )
    predict_proba: bool = Field(
        default=False, description="Answer with `predict_proba` instead of `predict` when a request names no output."
    )

    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on, for REST and gRPC. `0.0.0.0` is all of IPv4."
    )
    http_port: Port = Field(8080, description="Port of REST; 0 takes any free one.")
    grpc_port: Port = Field(8081, description="Port of gRPC; 0 takes any free one.")
    enable_grpc: bool = Field(default=True, description="Serve gRPC besides REST.")
    protocol: Literal["v1", "v2", "grpc-v2"] | None = Field(
        None,
        description="Checked and without effect, for all protocols are always served.",
        json_schema_extra={"default": "all"},
    )
    workers: Count = Field(1, description="Processes that serve on the same ports, each with the models in its memory.")
    threads: int | None = Field(
        None,
        ge=1,
        description="Threads that run models, in each worker; those of BLAS and OpenMP share the CPUs with them.",
        json_schema_extra={"default": "the CPUs that cgroup limit and affinity allow, divided among the workers"},
    )

    api_key_file: Path | None = Field(
        None,
        description="File of the keys' hashes that `sklearn-kserve key` writes; clients bring theirs as `Authorization: Bearer KEY`. Read anew when it changes.",
    )
    allow_unauthenticated: bool = Field(
        default=False, description="Listen on a public address without keys, because something in front authenticates."
    )
    enable_repository_api: bool = Field(
        default=False, description="Let clients whose key is an admin's load and unload models; needs `--api_key_file`."
    )
    ssl_certfile: Path | None = Field(
        None, description="Certificate chain in PEM for TLS on both ports. Read anew when it changes."
    )
    ssl_keyfile: Path | None = Field(None, description="Key of `--ssl_certfile` in PEM, not encrypted.")
    ssl_ca_certs: Path | None = Field(
        None, description="Authorities in PEM, one of which has to have signed the certificate that a client brings."
    )
    enable_docs_url: bool = Field(default=True, description="Serve `/docs`.")

    max_request_bytes: Count = Field(
        32 * 1024 * 1024, description="Bytes of a REST body, after decompression; more is 413."
    )
    grpc_max_receive_message_length: Count = Field(KSERVE_MESSAGE_BYTES, description="Bytes of a gRPC request.")
    grpc_max_send_message_length: Count = Field(KSERVE_MESSAGE_BYTES, description="Bytes of a gRPC answer.")
    max_rows: Count = Field(10_000, description="Rows in a request; more is 413.")
    max_batch_rows: Count = Field(
        64, description="Rows of waiting requests that are joined to one run of a model; 1 runs each by itself."
    )
    max_in_flight: Count = Field(256, description="Requests in flight in each worker; more are 429.")
    max_queue: Count = Field(
        128, description="Requests that may wait for one model version, so that a slow one leaves room; more are 429."
    )
    request_timeout_seconds: float = Field(30.0, gt=0, description="Seconds that a request may take; more is 504.")
    client_timeout_seconds: float = Field(
        60.0,
        gt=0,
        description="Seconds that a REST client may take to send a request, and to take its answer; then it is dropped.",
    )
    max_connections: Count = Field(
        4096,
        description="REST connections that a process holds at once, at most three quarters of the files that the process may open; for one more, one that waits for its client is closed.",
    )
    timeout_keep_alive: Count = Field(
        65, description="Seconds that an idle HTTP connection stays open; more than the proxy's in front keeps it."
    )
    grpc_max_connection_age: Count = Field(
        300,
        description="Seconds after which a gRPC connection is to be made anew, so that new replicas get their share.",
    )
    drain_seconds: float = Field(
        5.0,
        ge=0,
        description="Seconds of answering while unready, between SIGTERM and closing, for the cluster to learn of it; "
        "above 25, let the cluster grant more than 30 s for the end.",
    )

    drift_half_life_seconds: float = Field(
        3600.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds after which a request weighs half in what is told of drift, of versions with a profile; 0 watches none.",
    )

    log_level: Annotated[Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(_lower)] = Field(
        "info", description="The least that is logged."
    )
    enable_latency_logging: bool = Field(default=False, description="Log a line per request.")

    ignored: tuple[str, ...] = Field((), description="Flags that were given and have no meaning here.")
