"""The load: wrk over REST and h2load over gRPC, on the other core, with every answer accounted for."""

import json
import re
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.candidates import HOME
from benchmarks.errors import Void
from benchmarks.wire import Request, framed

WARM_UP_SECONDS: Final = 1
TOOLS: Final = ("taskset", "wrk", "h2load")
_CALIBRATION_REQUESTS: Final = 100
_FRAME_HEADER: Final = 5
_OUTLAST_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Figures:
    """
    What a load has measured.

    Parameters
    ----------
    requests : int
        In the time that was measured.
    seconds : float
    p50_ms, p99_ms : float
    sent : int
        Requests in all, the warm-up's included.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    sent: int


@dataclass(frozen=True, slots=True)
class Generator:
    """
    Where load comes from.

    Parameters
    ----------
    core : str
        As ``taskset -c`` takes it.
    concurrency : int
        Connections over REST, streams over gRPC.
    seconds : int
        To be measured; a warm-up comes before.
    """

    core: str
    concurrency: int
    seconds: int

    def drive(self, request: Request, port: int, answer: bytes) -> Figures:
        """
        Send a request again and again.

        Parameters
        ----------
        request : Request
        port : int
        answer : bytes
            The right one, whose length all gRPC answers must have.

        Raises
        ------
        Void
            A request failed.
        """
        with tempfile.TemporaryDirectory() as directory:
            if request.protocol == "rest":
                return self._rest(request, port, Path(directory))
            return self._grpc(request, port, Path(directory), _FRAME_HEADER + len(answer))

    def _rest(self, request: Request, port: int, directory: Path) -> Figures:
        body = directory / "body"
        body.write_bytes(request.body)
        target = f"http://127.0.0.1:{port}{request.path}"
        tail = ["-s", str(HOME / "wrk.lua"), target, "--", str(body)]
        warm_up = self._wrk(tail, WARM_UP_SECONDS)
        measured = self._wrk(tail, self.seconds)
        return Figures(
            measured["requests"],
            measured["microseconds"] / 1e6,
            measured["p50"] / 1e3,
            measured["p99"] / 1e3,
            warm_up["requests"] + measured["requests"],
        )

    def _wrk(self, tail: list[str], seconds: int) -> dict[str, int]:
        head = ["wrk", "-t1", f"-c{self.concurrency}", f"-d{seconds}s", "--timeout", "30s"]
        return wrk_summary(self._run([*head, *tail], seconds))

    def _grpc(self, request: Request, port: int, directory: Path, answer_bytes: int) -> Figures:
        body = directory / "body"
        body.write_bytes(framed(request.body))
        target = f"http://127.0.0.1:{port}{request.path}"
        calibrated = self._h2load(_CALIBRATION_REQUESTS, body, target, answer_bytes, directory / "calibration")
        warm_count = max(self.concurrency, round(WARM_UP_SECONDS * calibrated.requests / calibrated.seconds))
        warm = self._h2load(warm_count, body, target, answer_bytes, directory / "warm-up")
        count = max(self.concurrency, round(self.seconds * warm.requests / warm.seconds))
        figures = self._h2load(count, body, target, answer_bytes, directory / "log")
        sent = calibrated.sent + warm.sent + figures.sent
        return Figures(figures.requests, figures.seconds, figures.p50_ms, figures.p99_ms, sent)

    def _h2load(self, requests: int, body: Path, target: str, answer_bytes: int, log: Path) -> Figures:
        head = ["h2load", "-t1", "-c1", f"-m{self.concurrency}", f"-n{requests}", f"--data={body}", f"--log-file={log}"]
        headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        output = self._run([*head, *headers, target], self.seconds * 10)
        seconds = h2load_seconds(output, requests, answer_bytes)
        latencies = [int(line.split("\t")[2]) / 1e3 for line in log.read_text().splitlines()]
        cuts = statistics.quantiles(latencies, n=100, method="inclusive")
        return Figures(requests, seconds, statistics.median(latencies), cuts[98], requests)

    def _run(self, command: list[str], seconds: int) -> str:
        done = subprocess.run(
            ["taskset", "-c", self.core, *command],
            capture_output=True,
            text=True,
            timeout=seconds + _OUTLAST_SECONDS,
            check=False,
        )
        if done.returncode:
            raise Void(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]}")
        return done.stdout


def wrk_summary(output: str) -> dict[str, int]:
    """
    Read what ``wrk.lua`` has printed.

    Raises
    ------
    Void
        An answer was an error, or did not come.
    """
    found = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if found is None:
        raise Void(f"wrk has printed no summary: {output[-500:]}")
    summary: dict[str, int] = json.loads(found[1])
    errors = {kind: count for kind, count in json.loads(found[1])["errors"].items() if count}
    if errors or not summary["requests"]:
        raise Void(f"of {summary['requests']} requests some failed: {errors}")
    return summary


def h2load_seconds(output: str, requests: int, answer_bytes: int) -> float:
    """
    Return how long h2load took, if every answer was a right one.

    An error of gRPC comes with status 200 and without a message, so it shows in the bytes of data alone.

    Parameters
    ----------
    output : str
        What h2load has printed.
    requests : int
        Sent.
    answer_bytes : int
        Of one answer's data.

    Raises
    ------
    Void
        An answer was an error, or did not come.
    """
    took = re.search(r"^finished in ([\d.]+)(us|ms|s|m)?,", output, re.MULTILINE)
    succeeded = re.search(r"(\d+) succeeded", output)
    data = re.search(r"\((\d+)\) data", output)
    if took is None or succeeded is None or data is None:
        raise Void(f"h2load has printed no summary: {output[-500:]}")
    if int(succeeded[1]) != requests or int(data[1]) != requests * answer_bytes:
        raise Void(
            f"of {requests} requests {succeeded[1]} succeeded, with {data[1]} bytes; expected {requests * answer_bytes}"
        )
    return float(took[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}[took[2]]


def missing_tools() -> list[str]:
    """Return what is not installed of what the load needs."""
    return [tool for tool in TOOLS if shutil.which(tool) is None]
