"""
The README's commands, run as a reader would: in a copy of the repository, in the order they stand in.

Ports differ from the README's, so that a server somebody is running is left alone, and `curl` is stood in for by httpx
where the machine has none. `make test` is left out: it is what runs this.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import unmeasured

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
START_SECONDS = 60


@dataclass
class Reader:
    """Somebody who follows the README in a terminal, with a second one for the server."""

    directory: Path
    http_port: int
    grpc_port: int
    server: subprocess.Popen[bytes] | None = None
    commands: list[str] = field(default_factory=list)

    def type(self, command: str) -> str:
        self.commands.append(command)
        if command == "make run":
            self.restart()
            return ""
        command = command.replace("localhost:8080", f"127.0.0.1:{self.http_port}")
        if command.startswith("curl ") and shutil.which("curl") is None:
            return without_curl(command)
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.directory, env=unmeasured(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def restart(self) -> None:
        self.stop()
        ports = {"HTTP_PORT": str(self.http_port), "GRPC_PORT": str(self.grpc_port)}
        self.server = subprocess.Popen(
            ["make", "run"],
            cwd=self.directory,
            env=unmeasured() | ports,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until_ready(f"http://127.0.0.1:{self.http_port}/v2/health/ready", self.server)

    def stop(self) -> None:
        if self.server is not None:
            os.killpg(self.server.pid, signal.SIGINT)
            self.server.wait(START_SECONDS)


def without_curl(command: str) -> str:
    """Do what ``curl -s URL -d BODY`` does."""
    _, _, url, _, body = shlex.split(command)
    return httpx.post(f"http://{url}", content=body).text


def wait_until_ready(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, "make run has ended"
        try:
            if httpx.get(url).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail(f"make run was not ready within {START_SECONDS} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def blocks() -> Iterator[tuple[str, str]]:
    for match in BLOCK.finditer(README):
        yield match[1], match[2]


def steps(block: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with the output printed under it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def assert_printed(output: str, printed: str) -> None:
    """Compare an answer with the README's, numbers within rounding: another CPU differs in the last bits."""
    assert rounded(json.loads(output)) == rounded(json.loads(printed))


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split():
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
            # Older than the installation: `make run` must not install the copy into the environment it shares.
            os.utime(tmp_path / name, (0, 0))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    reader = Reader(tmp_path, free_port(), free_port())
    yield reader
    reader.stop()


@pytest.mark.timeout(300)
def test_every_command_of_the_readme_does_what_is_printed_under_it(reader: Reader) -> None:
    answers = 0
    for language, block in blocks():
        if language == "python":
            subprocess.run([sys.executable, "-c", block], cwd=reader.directory, env=unmeasured(), check=True)
            continue
        for command, printed in steps(block):
            output = reader.type(command)
            if printed:
                assert_printed(output, printed)
                answers += 1
    assert answers >= 4
    assert reader.commands.count("make run") == 2


def test_every_file_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
