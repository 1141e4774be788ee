"""The servers that are measured: how each is started, and how it is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.wire import Request, Rows, instances, v2
from benchmarks.workloads import CEILING, OURS, PLAIN, Protocol, Workload

HOME: Final = Path(__file__).parent
REPOSITORY: Final = HOME.parent
ENVIRONMENTS: Final = REPOSITORY / "var" / "bench"
"""Where ``make bench-setup`` puts the peers' virtual environments."""
PORTS: Final = ("http_port", "grpc_port", "metrics_port")

Ask = Callable[[Workload, Rows], Request | None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    A server.

    Parameters
    ----------
    name : str
    python : Path
        Interpreter of its environment.
    program : tuple of str
        What the interpreter runs; flags for directory and ports follow.
    directory : Path
        Of its models, or of the answers it is to repeat.
    ready : str
        Path that answers 200 once it can be asked.
    ask : callable
        Makes a workload's request of rows; None where it has no such interface.
    directory_flag : str
    ports : tuple of str
        Flags that it takes.
    """

    name: str
    python: Path
    program: tuple[str, ...]
    directory: Path
    ready: str
    ask: Ask
    directory_flag: str = "--models"
    ports: tuple[str, ...] = PORTS[:2]

    def command(self, ports: Mapping[str, int]) -> list[str]:
        """Return the command line that serves on these ports."""
        flags = [part for name in self.ports for part in (f"--{name}", str(ports[name]))]
        return [str(self.python), *self.program, self.directory_flag, str(self.directory), *flags]

    def port(self, protocol: Protocol, ports: Mapping[str, int]) -> int:
        """Return the port of a protocol."""
        return ports["http_port" if protocol == "rest" else "grpc_port"]


def candidates(work: Path) -> dict[str, Candidate]:
    """
    Return all servers by name, their models and answers within the directory ``work``.

    This server has the packages of its image, not those of development. The echo has the same, so that nothing but the
    work itself lies between the two.
    """
    python = ENVIRONMENTS / OURS / "bin" / "python"
    ours = ("-m", "model")
    own = Candidate(OURS, python, ours, work / OURS, "/v2/health/ready", _ask_v2, "--model_root")
    plain = Candidate(PLAIN, python, ours, work / "plain", "/v2/health/ready", _ask_plain, "--model_root")
    ceiling = Candidate(CEILING, python, ("-m", "benchmarks.echo"), work / CEILING, "/", _ask_echo, "--answers")
    peers = (
        _peer("kserve", work, "/v2/health/ready", _ask_v2),
        _peer("mlserver", work, "/v2/health/ready", _ask_v2, PORTS),
        _peer("bentoml", work, "/readyz", _ask_bentoml, PORTS[:1]),
        _peer("fastapi", work, "/health", _ask_fastapi, PORTS[:1]),
    )
    return {candidate.name: candidate for candidate in (own, plain, *peers, ceiling)}


def _peer(name: str, work: Path, ready: str, ask: Ask, ports: tuple[str, ...] = PORTS[:2]) -> Candidate:
    python = ENVIRONMENTS / name / "bin" / "python"
    return Candidate(name, python, (str(HOME / "peers" / name / "server.py"),), work / name, ready, ask, ports=ports)


def _ask_v2(workload: Workload, rows: Rows) -> Request:
    return v2(workload.protocol, workload.model, rows)


def _ask_plain(workload: Workload, rows: Rows) -> Request | None:
    return _ask_v2(workload, rows) if workload.plain_target else None


def _ask_echo(workload: Workload, rows: Rows) -> Request:
    return v2(workload.protocol, workload.name, rows)


def _ask_bentoml(workload: Workload, rows: Rows) -> Request | None:
    if workload.protocol != "rest":
        return None
    return instances(f"/{workload.model}", rows, list)


def _ask_fastapi(workload: Workload, rows: Rows) -> Request | None:
    if workload.protocol != "rest":
        return None
    return instances(f"/predict/{workload.model}", rows, lambda answer: list(answer["predictions"]))
