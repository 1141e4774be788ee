"""
The commands of all pages, and those that the chart's notes print, for tools that this repository does not bring: given to
the tools themselves, with a cluster that is not there. What gets as far as asking it has the form that the tool wants.

Those of the README are run in test_readme.py, and what a page says of answers is held by the tests of its subject.
"""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.deploy.rendering import CASES, ROOT, files, values_of
from tests.docs.pages import pages
from tests.tools import built

KUBECTL = Path(sys.executable).with_name("kubectl")
CODE = re.compile(r"^```\w*\n(.*?)^```$|((?:^ {4}\S[^\n]*\n)+)|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[|;&$] )\s*((?:kubectl|helm|make) [^|&#;\n]+)", re.MULTILINE)
IN_PLACE = {
    "$PODS": "--namespace ml --selector app=iris",
    "$NS": "ml",
    "$MODEL": "iris",
    "$RELEASE": "demo",
    "REVISION": "3",
    "CHART": "helm/sklearn-kserve",
}
NOT_THERE = ("connection refused", "was refused", "cluster unreachable")
MENTIONED = re.compile(r"(helm|kubectl)( rollout)?( ([\w-]+|apply -[kf]))?")
"""What is said about a command, and is none: its name, or as much of it as tells which is meant."""


@cache
def commands() -> tuple[str, ...]:
    """Return each command of the pages and of the notes once."""
    found: set[str] = set()
    for page in pages():
        for code in CODE.finditer(page.read_text()):
            text = "".join(part or "" for part in code.groups()).replace("\\\n", " ")
            found.update(each.strip(" \\") for each in COMMAND.findall(text))
    for case in CASES:
        found.update(each.strip() for each in COMMAND.findall(files(values_of(case))["NOTES.txt"]))
    return tuple(sorted(each for each in found if not MENTIONED.fullmatch(each)))


def of(tool: str) -> list[str]:
    return [each for each in commands() if each.startswith(f"{tool} ")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory like the repository's root, with a cluster that is not there and the files that readers have."""
    directory = tmp_path_factory.mktemp("place")
    for each in ("helm", "kustomize", "manifests"):
        (directory / each).symlink_to(ROOT / each)
    for name in ("keys.json", "release.pem", "training.yaml", "values.yaml"):
        (directory / name).write_text("{}")
    cluster = {"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "a", "context": {"cluster": "a", "user": "a"}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "clusters": [cluster],
        "contexts": [context],
    }
    (directory / "kubeconfig").write_text(str(config).replace("'", '"'))
    return directory


def said(tool: Path, command: str, place: Path) -> str:
    """Return what a tool says to a command, the last of it."""
    for name, value in IN_PLACE.items():
        command = command.replace(name, value)
    done = subprocess.run(
        [tool, *shlex.split(command)[1:]],
        cwd=place,
        env={"KUBECONFIG": str(place / "kubeconfig"), "HOME": str(place)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stderr if done.returncode else "it is done"


def test_there_are_commands() -> None:
    assert len(of("kubectl")) > 30
    assert len(of("helm")) > 20
    assert len(of("make")) > 10


@pytest.mark.parametrize("command", of("kubectl"))
def test_kubectl_takes_a_command(command: str, place: Path) -> None:
    answer = said(KUBECTL, command, place)
    assert answer == "it is done" or any(each in answer.lower() for each in NOT_THERE), answer


@pytest.mark.system
@pytest.mark.parametrize("binary", ["helm3", "helm4"])
@pytest.mark.parametrize("command", of("helm"))
def test_helm_takes_a_command(command: str, binary: str, place: Path) -> None:
    answer = said(built(binary) / "helm", command, place)
    assert answer == "it is done" or any(each in answer.lower() for each in NOT_THERE), answer


@pytest.mark.parametrize("command", of("make"))
def test_make_has_the_target(command: str) -> None:
    target = shlex.split(command)[1]
    assert re.search(rf"^{re.escape(target)}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
