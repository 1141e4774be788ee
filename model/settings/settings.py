"""The settings of one process: read from where they are given, and checked against each other and the disk."""

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, field_validator, model_validator

from model.errors import ArtifactError
from model.keys.file import read_keys
from model.settings import flags
from model.settings.schema import Schema
from model.tls.files import HTTP_1, TlsFiles, read_context


class Settings(Schema):
    """What the operator decides; the same for the life of the process."""

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
                read_context(self.tls, HTTP_1)
            except ArtifactError as error:
                raise ValueError(f"TLS can't be served: {error}") from error
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
