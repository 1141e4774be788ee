"""The command line: which command runs, what it imports, how it ends."""

import argparse
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from model import __version__, cli, logs
from model.errors import ArtifactError
from model.settings import Settings
from model.workers.link import Link

ROOT = Path(__file__).resolve().parents[2]


class Server(ModuleType):
    """Stands for model.server; remembers the settings it was started with."""

    def __init__(self, fault: Exception | None = None) -> None:
        super().__init__("model.server")
        self.fault = fault
        self.started: list[Settings] = []

    def serve(self, settings: Settings, link: Link | None) -> int:
        assert link is None
        self.started.append(settings)
        if self.fault:
            raise self.fault
        return 0


def install(monkeypatch: pytest.MonkeyPatch, fault: Exception | None = None) -> Server:
    server = Server(fault)
    monkeypatch.setattr(logs, "configure_process", lambda *_, **__: None)  # It takes stdout.
    monkeypatch.setitem(sys.modules, "model.server", server)
    return server


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("argv", [["serve", "--http_port", "9000"], ["--http_port", "9000"]])
def test_flags_alone_serve(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    server = install(monkeypatch)
    assert cli.main(argv) == 0
    assert [settings.http_port for settings in server.started] == [9000]


def test_no_arguments_serve_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    server = install(monkeypatch)
    monkeypatch.setenv("SKLEARN_KSERVE_HTTP_PORT", "9001")
    monkeypatch.setattr(sys, "argv", ["sklearn-kserve"])
    assert cli.main() == 0
    assert [settings.http_port for settings in server.started] == [9001]


def test_wrong_settings_exit_with_2_before_the_server_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "model.server", None)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--http_port", "x"])
    assert stopped.value.code == 2


def test_an_unknown_command_exits_with_2_and_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["serv"])
    assert stopped.value.code == 2
    assert "'serve', 'publish', 'inspect', 'verify'" in capsys.readouterr().err


def test_what_the_operator_has_to_mend_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, ArtifactError("the model root /nowhere is no directory"))
    assert cli.main([]) == 1
    assert capsys.readouterr().err == "sklearn-kserve: the model root /nowhere is no directory\n"


def test_a_missing_package_is_named_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, ModuleNotFoundError("No module named 'grpc'", name="grpc"))
    assert cli.main([]) == 1
    assert capsys.readouterr().err == (
        "sklearn-kserve: serve needs the package grpc, which is not installed: pip install 'sklearn-kserve[serve]'\n"
    )


def test_a_module_of_our_own_that_is_missing_is_our_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ModuleNotFoundError("No module named 'model.gone'", name="model.gone"))
    with pytest.raises(ModuleNotFoundError):
        cli.main([])


def test_the_help_lists_the_commands_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    from model.artifact.commands import add_parsers
    from model.keys.commands import add_parser

    subparsers = argparse.ArgumentParser().add_subparsers()
    add_parsers(subparsers)
    add_parser(subparsers)
    assert set(subparsers.choices) | {"serve"} == set(cli.COMMANDS)
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert all(f"    {name}" in text for name in cli.COMMANDS)


@pytest.mark.parametrize("command", ["publish", "inspect", "verify", "sign", "accelerate", "key"])
def test_a_command_without_its_arguments_is_wrong_usage(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main([command])
    assert stopped.value.code == 2
    assert f"usage: sklearn-kserve {command}" in capsys.readouterr().err


def test_a_commands_exit_code_is_the_programs(tmp_path: Path) -> None:
    assert cli.main(["verify", str(tmp_path / "nowhere")]) == 1


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["serve", "--help"], ["--no_such_flag"]])
def test_help_and_mistakes_come_without_the_heavy_imports(argv: list[str]) -> None:
    done = run("-X", "importtime", "-m", "model", *argv)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "model.cli" in imported
    assert not imported & {"sklearn", "pandas", "numpy", "grpc", "httptools", "structlog", "prometheus_client"}


def test_the_version_is_printed() -> None:
    done = run("-m", "model", "--version")
    assert (done.returncode, done.stdout) == (0, f"sklearn-kserve {__version__}\n")


def test_the_module_ends_with_the_commands_exit_code() -> None:
    done = run("-m", "model", "--http_port", "x")
    assert done.returncode == 2
    assert "--http_port is 'x'; expected a whole number from 0 to 65535" in done.stderr


def test_a_command_whose_output_is_closed_does_its_work() -> None:
    shell = ["sh", "-c", 'exec "$0" -m model key --id alice >&-', sys.executable]
    done = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
