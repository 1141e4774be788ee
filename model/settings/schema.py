"""Every setting: its name, default, limits and meaning."""

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from model.errors import ArtifactError
from model.keys.file import read_keys
from model.settings import flags
from model.tls.files import TlsFiles, read_credentials

KSERVE_MESSAGE_BYTES: Final = 8 * 1024 * 1024
"""KServe's limit of a gRPC message."""

Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]


def _split(value: Any) -> Any:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Settings(BaseModel):
    """
    What the operator decides; the same for the life of the process.

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
        description="Seconds of answering while unready, between SIGTERM and closing, for the cluster to learn of it.",
    )

    log_level: Annotated[Literal["debug", "info", "warning", "error", "critical"], BeforeValidator(_lower)] = Field(
        "info", description="The least that is logged."
    )
    enable_latency_logging: bool = Field(default=False, description="Log a line per request.")

    ignored: tuple[str, ...] = Field((), description="Flags that were given and have no meaning here.")

    @classmethod
    def options(cls) -> flags.Fields:
        """Return the fields that are flags and variables, by name."""
        return {name: field for name, field in cls.model_fields.items() if name != "ignored"}

    @classmethod
    def from_sources(cls, argv: Sequence[str], environ: Mapping[str, str]) -> Self:
        """
        Read the settings: flags before variables, a setting's own variable before KServe's, then defaults.

        Parameters
        ----------
        argv : sequence of str
            Without the program's name.
        environ : mapping

        Raises
        ------
        SystemExit
            With 2, after a sentence on stderr, when a flag is unknown or a value is not as expected; with 0 after
            ``--help``.
        """
        fields = cls.options()
        parser = flags.parser_for(fields)
        namespace = parser.parse_args(flags.underscored(argv))
        given = flags.from_environment(environ, fields) | flags.from_flags(namespace, fields)
        values: dict[str, Any] = {name: item.value for name, item in given.items()}
        try:
            return cls(**values, ignored=flags.ignored(namespace))
        except ValidationError as error:
            parser.error(flags.sentence(error.errors()[0], given, fields))

    @property
    def tls(self) -> TlsFiles | None:
        """The files that TLS needs; None means that it is off."""
        if self.ssl_certfile is None or self.ssl_keyfile is None:
            return None
        return TlsFiles(self.ssl_certfile, self.ssl_keyfile, self.ssl_ca_certs)

    @field_validator("verify_key")
    @classmethod
    def _check_verify_key(cls, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        """Refuse an empty list as well: a mistake in a template must not open the door."""
        missing = next((path for path in paths if not path.is_file()), "" if not paths else None)
        if missing is not None:
            raise ValueError(f"--verify_key is '{missing}'; expected files that exist, separated by commas")
        return paths

    @field_validator("code_dir")
    @classmethod
    def _check_code_dir(cls, code_dir: Path | None) -> Path | None:
        if code_dir is not None and not code_dir.is_dir():
            raise ValueError(f"--code_dir is '{code_dir}'; expected a directory that exists")
        return code_dir

    @model_validator(mode="after")
    def _check_models(self) -> Self:
        other = next((name for name in ("model_dir", "model_name") if name in self.model_fields_set), None)
        if self.model_root is not None and other is not None:
            raise ValueError(f"--model_root and --{other} were both given; expected a directory of models or one model")
        return self

    @model_validator(mode="after")
    def _check_ports(self) -> Self:
        if self.enable_grpc and self.http_port == self.grpc_port != 0:
            raise ValueError(f"--http_port and --grpc_port are both {self.http_port}; expected two different ports")
        return self

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        if self.api_key_file is not None:
            try:
                read_keys(self.api_key_file)
            except ArtifactError as error:
                raise ValueError(f"--api_key_file: {error}") from error
            return self
        if not (self.allow_unauthenticated or _is_loopback(self.host)):
            raise ValueError(
                f"--host is '{self.host}', which others can reach, and there are no keys; expected --api_key_file, "
                "or --allow_unauthenticated=true where something in front authenticates"
            )
        if self.enable_repository_api:
            raise ValueError("--enable_repository_api is true and there are no keys; expected --api_key_file with it")
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        pair = {"--ssl_certfile": self.ssl_certfile, "--ssl_keyfile": self.ssl_keyfile}
        given = [flag for flag, file in pair.items() if file is not None]
        missing = next((flag for flag in pair if flag not in given), None)
        if missing and (given or self.ssl_ca_certs):
            raise ValueError(f"{given[0] if given else '--ssl_ca_certs'} is given without {missing}; expected both")
        if self.tls is not None:
            try:
                read_credentials(self.tls)
            except ArtifactError as error:
                raise ValueError(f"TLS can't be served: {error}") from error
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
