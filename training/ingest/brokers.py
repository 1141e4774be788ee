"""How brokers of Kafka are reached: what the environment says of it, and why they were not."""

import asyncio
import logging
import os
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from training.errors import ConfigurationError, first_line

_PROTOCOL: Final = "KAFKA_SECURITY_PROTOCOL"
_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISM: Final = "KAFKA_SASL_MECHANISM"
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_USERNAME: Final = "KAFKA_USERNAME"
_PASSWORD: Final = "KAFKA_PASSWORD"  # noqa: S105 -- the name of a variable
_AUTHORITIES: Final = "KAFKA_CAFILE"
_CERTIFICATE: Final = "KAFKA_CERTFILE"
_KEY: Final = "KAFKA_KEYFILE"
_KEY_PASSWORD: Final = "KAFKA_KEY_PASSWORD"  # noqa: S105 -- the name of a variable
_ABOUT_USERS: Final = (_MECHANISM, _USERNAME, _PASSWORD)
_ABOUT_CERTIFICATES: Final = (_AUTHORITIES, _CERTIFICATE, _KEY, _KEY_PASSWORD)
_PATIENCE_MILLISECONDS: Final = 10_000

# It logs what it sends when it is to tell details, and by SASL's PLAIN that is the password.
logging.getLogger("aiokafka.conn").setLevel(logging.INFO)


def settings() -> dict[str, Any]:
    """
    Return what the environment says of how brokers are reached, as aiokafka takes it.

    Raises
    ------
    ConfigurationError
        A variable is none of what it may be, is missing, or says nothing by the protocol that is set.
    """
    protocol = _one_of(_PROTOCOL, _PROTOCOLS)
    given: dict[str, Any] = {"security_protocol": protocol}
    if "SASL" in protocol:
        given["sasl_mechanism"] = _one_of(_MECHANISM, _MECHANISMS)
        given["sasl_plain_username"] = _needed(_USERNAME, protocol)
        given["sasl_plain_password"] = _needed(_PASSWORD, protocol)
    else:
        _check_unset(_ABOUT_USERS, protocol, "which names no user", "SASL_SSL")
    if "SSL" in protocol:
        given["ssl_context"] = _context()
    else:
        _check_unset(_ABOUT_CERTIFICATES, protocol, "which has no certificates", "SASL_SSL or SSL")
    return given


async def refusal(brokers: Sequence[str], given: Mapping[str, Any]) -> str | None:
    """
    Tell why none of some brokers can be asked, for aiokafka's clients tell only that; None where one can.

    Parameters
    ----------
    brokers : sequence of str
        Each ``HOST:PORT``.
    given : mapping
        What ``settings`` has returned.

    Returns
    -------
    reason : str or None
        A part of a sentence, without the password; of the first that was reached, or else of the first.
    """
    away = []
    for broker in brokers:
        try:
            await _asked(broker, given)
        except (KafkaError, OSError) as error:
            if (said := _said_by(broker, error, given)) is not None:
                return said
            away.append(
                f"{broker} cannot be reached: {getattr(error, 'strerror', None) or first_line(error) or 'late'}"
            )
        else:
            return None
    return away[0]


async def _asked(broker: str, given: Mapping[str, Any]) -> None:
    """Connect to a broker, say who we are, and leave."""
    host, _, port = broker.rpartition(":")
    connection = AIOKafkaConnection(host.strip("[]"), int(port), request_timeout_ms=_PATIENCE_MILLISECONDS, **given)
    opened = True
    try:
        await connection.connect()
    except OSError:
        opened = False
        raise
    finally:
        if opened:  # lest the loop ends before it is closed
            await asyncio.wait({connection.close()}, timeout=1)


def _said_by(broker: str, error: Exception, given: Mapping[str, Any]) -> str | None:
    """Tell what a broker has against us; None where it was not reached."""
    match error:
        case SaslAuthenticationFailed():
            return f"{broker} refuses {_USERNAME} {given['sasl_plain_username']!r} with this {_PASSWORD}"
        case UnsupportedSaslMechanismError():
            return f"{broker} does not take {_MECHANISM} {given['sasl_mechanism']!r}"
        case ssl.SSLCertVerificationError():
            return (
                f"the certificate of {broker} is not trusted, {error.verify_message}; expected one of an authority "
                f"that {_AUTHORITIES} holds"
            )
        case KafkaConnectionError() | IllegalSaslStateError() | ssl.SSLError() | ConnectionResetError():
            return (
                f"{broker} breaks off; see whether it expects {_PROTOCOL} {given['security_protocol']!r} there, and "
                f"no certificate but by {_CERTIFICATE}"
            )
        case _:
            return None


def _one_of(variable: str, known: Sequence[str]) -> str:
    value = os.environ.get(variable) or known[0]
    if value not in known:
        raise ConfigurationError(f"{variable} is {value!r}; expected one of {', '.join(known)}")
    return value


def _needed(variable: str, protocol: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise ConfigurationError(f"{_PROTOCOL} is {protocol!r}, and {variable} is not set; expected both")
    return value


def _check_unset(variables: Sequence[str], protocol: str, what: str, expected: str) -> None:
    """Refuse what would have no effect: who sets it believes that it has."""
    found = next((variable for variable in variables if os.environ.get(variable)), None)
    if found is not None:
        raise ConfigurationError(f"{found} is set, and {_PROTOCOL} is {protocol!r}, {what}; expected {expected}")


def _context() -> ssl.SSLContext:
    authorities, certificate, key = (os.environ.get(name) or None for name in (_AUTHORITIES, _CERTIFICATE, _KEY))
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise _unreadable(_AUTHORITIES, authorities, error) from error
    if certificate is None:
        return context
    try:
        # A password is always given, for without one OpenSSL asks the terminal for it.
        context.load_cert_chain(certificate, key, os.environ.get(_KEY_PASSWORD, ""))
    except OSError as error:
        raise _unreadable(
            f"{_CERTIFICATE} or {_KEY}", f"{certificate}, {key}" if key else certificate, error
        ) from error
    return context


def _unreadable(variable: str, path: str | None, error: OSError) -> ConfigurationError:
    reason = getattr(error, "reason", None) or error.strerror
    return ConfigurationError(f"{variable} is {path!r}, which cannot be read: {reason}; expected a file in PEM")
