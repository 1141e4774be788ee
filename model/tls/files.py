"""The files of TLS: the server's certificate and key, and the authorities whose clients it lets in."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.errors import ArtifactError

HTTP_1: Final = "http/1.1"
HTTP_2: Final = "h2"
PROTOCOLS: Final = (HTTP_1, HTTP_2)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """
    Where certificates and key lie, in PEM.

    Parameters
    ----------
    certfile : Path
        The server's certificate, then those between it and its authority.
    keyfile : Path
        Its key, not encrypted.
    ca_certs : Path or None
        Authorities one of which has to have signed a client's certificate. None: clients need none.
    """

    certfile: Path
    keyfile: Path
    ca_certs: Path | None = None


def read_context(files: TlsFiles, protocol: str) -> ssl.SSLContext:
    """
    Read certificates and key.

    Parameters
    ----------
    files : TlsFiles
    protocol : str
        What is spoken under TLS, by its name in ALPN.

    Returns
    -------
    ssl.SSLContext

    Raises
    ------
    ArtifactError
        A file can't be read or is not in PEM, or the key belongs to another certificate.
    """
    for file in (files.certfile, files.keyfile, files.ca_certs):
        if file is not None:
            _check_readable(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([protocol])
    _load_pair(context, files)
    if files.ca_certs is not None:
        _load_authorities(context, files.ca_certs)
    return context


def _check_readable(file: Path) -> None:
    try:
        file.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{file} can't be read: {error.strerror}.") from error


def _load_pair(context: ssl.SSLContext, files: TlsFiles) -> None:
    try:
        # The password is given, lest OpenSSL asks for one at the terminal.
        context.load_cert_chain(files.certfile, files.keyfile, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ArtifactError(
                f"The key in {files.keyfile} is not that of the certificate in {files.certfile}."
            ) from error
        raise ArtifactError(
            f"{files.certfile} and {files.keyfile} are refused; expected a certificate chain and its key without a "
            "password, in PEM."
        ) from error
    except OSError as error:
        raise ArtifactError(f"{files.certfile} or {files.keyfile} can't be read: {error.strerror}.") from error


def _load_authorities(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise ArtifactError(f"{file} is refused; expected certificates of authorities, in PEM.") from error
    except OSError as error:
        raise ArtifactError(f"{file} can't be read: {error.strerror}.") from error
    context.verify_mode = ssl.CERT_REQUIRED
    # A session that is resumed would outlive the authority that let its client in.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
