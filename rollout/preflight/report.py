"""What the checks find, and what it comes to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from rollout.cluster import Cluster
from rollout.errors import ClusterError, Unreachable
from rollout.release import Release


class Status(StrEnum):
    """What a check found."""

    OK = "ok"
    WARNING = "warning"
    """The install works, and something about it is worth knowing."""
    UNKNOWN = "unknown"
    """It could not be checked."""
    MISSING = "missing"
    """The install would fail, or not do what the values ask for."""


SYMBOLS: Final = {Status.OK: "ok", Status.WARNING: "note", Status.UNKNOWN: "?", Status.MISSING: "MISSING"}


@dataclass(frozen=True)
class Finding:
    """
    One thing that a check found.

    Attributes
    ----------
    status : Status
        How it is.
    message : str
        One sentence, which says what to do where something is missing.
    check : str
        Which check found it.
    """

    status: Status
    message: str
    check: str = ""


@dataclass(frozen=True)
class Install:
    """
    What is to be installed, and where.

    Attributes
    ----------
    cluster : Cluster
        Where.
    release : Release
        What.
    kserve_namespace : str
        Where KServe's controller and its ConfigMap are.
    """

    cluster: Cluster
    release: Release
    kserve_namespace: str


@dataclass(frozen=True)
class Report:
    """
    All that was found.

    Attributes
    ----------
    address : str
        The API server asked.
    namespace : str
        Where the install would go.
    findings : tuple of Finding
        In the order of the checks.
    """

    address: str
    namespace: str
    findings: tuple[Finding, ...]

    def having(self, status: Status) -> list[Finding]:
        """
        Return the findings of a status.

        Parameters
        ----------
        status : Status
            Which.

        Returns
        -------
        list of Finding
            In the order of the checks.
        """
        return [each for each in self.findings if each.status is status]

    @property
    def exit_code(self) -> int:
        """0 nothing is missing, 1 something is, 2 something could not be checked."""
        return 1 if self.having(Status.MISSING) else 2 if self.having(Status.UNKNOWN) else 0

    def as_json(self) -> dict[str, Any]:
        """
        Return the report for programs.

        Returns
        -------
        dict
            ``server``, ``namespace``, ``exit_code`` and ``findings``, each of ``check``, ``status`` and ``message``.
        """
        findings = [
            {"check": each.check, "status": str(each.status), "message": each.message} for each in self.findings
        ]
        return {
            "server": self.address,
            "namespace": self.namespace,
            "exit_code": self.exit_code,
            "findings": findings,
        }

    def as_text(self) -> str:
        """
        Return the report for people.

        Returns
        -------
        str
            A line for each finding, and one that sums up.
        """
        lines = [f"{SYMBOLS[each.status]:<8}{each.check:<12}{each.message}" for each in self.findings]
        missing, unknown = len(self.having(Status.MISSING)), len(self.having(Status.UNKNOWN))
        parts = [f"{missing} missing"] * bool(missing) + [f"{unknown} could not be checked"] * bool(unknown)
        return "\n".join([*lines, "", f"{self.namespace}: {', '.join(parts) or 'nothing is missing'}."])


Check = Callable[[Install], Iterator[Finding]]


def fine(message: str) -> Finding:
    """
    Find that all is well.

    Parameters
    ----------
    message : str
        What is well.

    Returns
    -------
    Finding
        Of status OK.
    """
    return Finding(Status.OK, message)


def warning(message: str) -> Finding:
    """
    Find something worth knowing.

    Parameters
    ----------
    message : str
        What it is, and what to do.

    Returns
    -------
    Finding
        Of status WARNING.
    """
    return Finding(Status.WARNING, message)


def missing(message: str) -> Finding:
    """
    Find that something is missing.

    Parameters
    ----------
    message : str
        What is, and what to do.

    Returns
    -------
    Finding
        Of status MISSING.
    """
    return Finding(Status.MISSING, message)


def unknown(message: str) -> Finding:
    """
    Find that something could not be checked.

    Parameters
    ----------
    message : str
        What, and why.

    Returns
    -------
    Finding
        Of status UNKNOWN.
    """
    return Finding(Status.UNKNOWN, message)


def guarded(findings: Iterator[Finding], what: str) -> Iterator[Finding]:
    """
    Let one question that is not answered be one finding, and no end.

    Parameters
    ----------
    findings : iterator of Finding
        Asks the cluster.
    what : str
        What it asks about.

    Yields
    ------
    Finding
        Its findings, and one of status UNKNOWN where the cluster refused to answer.

    Raises
    ------
    Unreachable
        The cluster does not answer any more.
    """
    try:
        yield from findings
    except Unreachable:
        raise
    except ClusterError as error:
        sentence = " ".join(str(error).split()).rstrip(".")
        yield unknown(f"Not checked, {what}: {sentence}; ask someone who may look there to run this.")
