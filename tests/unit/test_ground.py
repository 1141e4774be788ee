"""The ground that the rest stands on: packaging, locks, Makefile, image and workflows keep what they promise."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points, packages_distributions, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import model

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
ALONE = {"dev.txt", "fuzz.txt", "checkov.txt", "airflow.txt", "go.txt", "mlflow.txt", "torch.txt"}
"""Locks of what no image holds."""
PACKAGES = ("model", "training", "rollout")
SERVING = ("serve", "kserve", "skops", "onnx", "treelite")
"""Extras that the image carries."""
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def pins(lock: str) -> dict[str, set[str]]:
    """Versions by package; several where they depend on the Python or the platform."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / "requirements" / lock).read_text().splitlines():
        if pin := re.match(r"([a-z0-9.-]+)==([^ ;]+)", line):
            found.setdefault(pin[1], set()).add(pin[2])
    return found


def wanted(*extras: str) -> list[Requirement]:
    """Return what pyproject.toml asks for: the base and the given extras."""
    project = PYPROJECT["project"]
    lines = project["dependencies"] + [line for extra in extras for line in project["optional-dependencies"][extra]]
    return [Requirement(line) for line in lines]


def name_in_lock(requirement: Requirement) -> str:
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user's shell does, not as a part of the make that runs these tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, comments dropped and continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(word, " ".join(rest.split())) for word, rest in lines]


def final_stage() -> list[tuple[str, str]]:
    every = instructions()
    start = max(number for number, (word, _) in enumerate(every) if word == "FROM")
    return every[start:]


def stage(name: str) -> list[tuple[str, str]]:
    """Return the instructions of a stage that has a name."""
    every = instructions()
    starts = [number for number, (word, _) in enumerate(every) if word == "FROM"]
    (start,) = [number for number in starts if every[number][1].endswith(f" AS {name}")]
    return every[start : min(number for number in [*starts, len(every)] if number > start)]


def the(word: str) -> str:
    """Return the argument of the final stage's only such instruction."""
    (argument,) = [argument for name, argument in final_stage() if name == word]
    return argument


# --- packaging


def test_the_version_is_told_once() -> None:
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert version("sklearn-kserve") == model.__version__


@pytest.mark.parametrize("script", ["sklearn-kserve", "sklearn-kserve-train"])
def test_a_console_script_leads_to_a_function(script: str) -> None:
    (entry,) = entry_points(group="console_scripts", name=script)
    assert callable(entry.load())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the names in a wheel of this tree."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (built,) = directory.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_the_packages(wheel: set[str]) -> None:
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    sources = {str(path.relative_to(ROOT)) for path in files if path.suffix != ".pyc"}
    assert {"model/py.typed", "model/grpc/open_inference.binpb"} <= sources
    assert sources <= wheel


def test_the_wheel_holds_the_packages_alone(wheel: set[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel} == {*PACKAGES, "sklearn_kserve"}


def imported(package: str) -> set[str]:
    """Return the top-level names of the modules that a package imports anywhere."""
    nodes = [node for path in (ROOT / package).rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.split(".")[0] for name in plain | named}


@pytest.mark.parametrize(
    ("package", "extras"),
    [
        ("model", (*SERVING, "accelerate", "signing", "sql", "redis")),
        ("training", ("train", "sql", "kafka", "optuna", "dask", "mlflow", "torch")),
        ("rollout", ("rollout",)),
    ],
)
def test_every_library_that_a_package_imports_is_asked_for(package: str, extras: tuple[str, ...]) -> None:
    asked = {name_in_lock(requirement) for requirement in wanted(*extras)} | {"sklearn-kserve"}
    libraries = imported(package) - set(sys.stdlib_module_names) - set(PACKAGES)
    homes = packages_distributions()
    assert libraries
    # What is not installed here, such as torch, is called alike by those who import it and by pip.
    called = {name: {home.lower().replace("_", "-") for home in homes.get(name, [name])} for name in libraries}
    undeclared = {name for name in libraries if not asked & called[name]}
    assert undeclared == set()


# --- lock files


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_version_carries_hashes(lock: Path) -> None:
    blocks = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]
    assert blocks
    bare = [block.split()[0] for block in blocks if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", block)]
    assert bare == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_file_names_no_index_and_no_machine(lock: Path) -> None:
    stray = [line for line in lock.read_text().splitlines() if re.search(r"://|(?<![\w.-])/\w|index|find-links", line)]
    assert stray == []


# Of fuzz.txt nothing is shipped, and where it is for there are not always wheels.
@pytest.mark.parametrize("lock", [path.name for path in LOCKS if path.name not in ALONE])
def test_what_is_shipped_is_what_is_tested(lock: str) -> None:
    tested = pins("dev.txt")
    untested = {name: versions for name, versions in pins(lock).items() if not versions <= tested.get(name, set())}
    assert untested == {}


def test_beside_torch_is_installed_what_is_tested() -> None:
    tested = pins("dev.txt")
    others = {
        name: versions for name, versions in pins("torch.txt").items() if not versions <= tested.get(name, versions)
    }
    assert others == {}


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("dev.txt", tuple(extra for extra in PYPROJECT["project"]["optional-dependencies"] if extra != "torch")),
        ("serve.txt", SERVING),
        ("train.txt", ("train",)),
        ("torch.txt", ("train", "accelerate", "torch")),
    ],
)
def test_a_lock_keeps_to_the_ranges_of_pyproject(lock: str, extras: tuple[str, ...]) -> None:
    locked = pins(lock)
    outside = [
        str(requirement)
        for requirement in wanted(*extras)
        if not all(requirement.specifier.contains(found) for found in locked.get(name_in_lock(requirement), {"0"}))
    ]
    assert outside == []


def test_the_serving_image_carries_nothing_of_training_or_testing() -> None:
    others = {name_in_lock(requirement) for requirement in wanted("train", "xgboost", "lightgbm")}
    others |= {"mypy", "pytest", "ruff", "hatchling", "uv"}
    others -= {"urllib3"}  # what the KServe SDK asks by, too
    serving = {name_in_lock(requirement) for requirement in wanted(*SERVING)}
    assert set(pins("serve.txt")) & (others - serving) == set()


# --- Makefile


def test_make_help_describes_every_target() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    described = dict(line.split(maxsplit=1) for line in make("help").stdout.splitlines())
    assert {"install", "run", "test"} <= targets
    assert set(described) == targets


def test_an_unsupported_python_is_refused_in_a_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3.10"
    old.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -c "import sys; sys.version_info = (3, 10, 14); $1"\n')
    old.chmod(0o755)
    done = make("install", f"VENV={tmp_path / 'none'}", f"PYTHON={old}")
    assert done.returncode != 0
    assert f"sklearn-kserve needs Python 3.11, 3.12 or 3.13, and {old} is 3.10" in done.stderr
    assert not (tmp_path / "none").exists()


def test_make_run_becomes_the_server_so_that_signals_reach_it() -> None:
    last = make("--dry-run", "run").stdout.splitlines()[-1]
    assert last.startswith("exec ")
    assert "-m model --model_root var/models --host 127.0.0.1 --http_port 8080 --grpc_port 8081" in last


def test_make_test_is_the_whole_gate() -> None:
    steps = make("--dry-run", "test").stdout
    missing = [
        tool
        for tool in ("ruff", "codespell", "hadolint", "zizmor", "mypy", "lint-imports", "pytest")
        if tool not in steps
    ]
    assert missing == []
    assert PYPROJECT["tool"]["coverage"]["report"]["fail_under"] >= 95
    assert PYPROJECT["tool"]["coverage"]["run"]["branch"] is True


# --- image


def test_the_image_runs_as_a_numeric_user_that_is_nobody_on_the_node() -> None:
    user, group = the("USER").split(":")
    assert int(user) > 10_000
    assert int(group) > 10_000


def test_the_image_takes_the_arguments_that_kserve_appends() -> None:
    assert json.loads(the("ENTRYPOINT")) == ["python", "-m", "model"]
    assert [word for word, _ in final_stage() if word in {"CMD", "HEALTHCHECK", "SHELL"}] == []


def test_the_base_is_one_exact_version() -> None:
    (base,) = [argument for word, argument in instructions() if word == "ARG" and argument.startswith("BASE=")]
    assert re.fullmatch(r"BASE=docker\.io/library/python:3\.11\.\d+-slim-bookworm(@sha256:[0-9a-f]{64})?", base)
    stages = {argument.split()[0] for word, argument in instructions() if word == "FROM"}
    assert stages == {"${BASE}", "builder", "trainer"}


def test_the_image_installs_by_hash_alone() -> None:
    steps = [step for word, run in instructions() if word == "RUN" for step in run.split(" && ")]
    installs = [step for step in steps if " install " in step]
    assert len(installs) >= 3
    assert [step for step in installs if not re.search(r"--require-hashes -r|--no-deps --no-index", step)] == []


def test_the_final_stage_runs_nothing_and_copies_what_was_made() -> None:
    stage = final_stage()
    assert [argument for word, argument in stage if word in {"RUN", "ADD"}] == []
    assert [argument for word, argument in stage if word == "COPY"] == [
        "--from=builder /opt/venv /opt/venv",
        "--from=example /models /models",
    ]


def test_what_trains_is_a_target_of_its_own_as_hardened_as_the_server() -> None:
    training, server = stage("training"), final_stage()
    assert json.loads(dict(training)["ENTRYPOINT"]) == ["python", "-m", "training"]
    assert [argument for word, argument in training if word == "COPY"] == ["--from=trainer /opt/venv /opt/venv"]
    for word in ("USER", "WORKDIR"):
        assert dict(training)[word] == dict(server)[word]
    assert "HOME=/tmp" in dict(training)["ENV"]
    assert {word for word, _ in training} <= {"FROM", "ARG", "LABEL", "COPY", "ENV", "WORKDIR", "USER", "ENTRYPOINT"}
    installs = [argument for word, argument in stage("trainer") if word == "RUN"]
    assert len(installs) == 1
    assert "requirements/train.txt" in installs[0]


def test_the_image_listens_to_its_pod_and_says_that_others_authenticate() -> None:
    environment = dict(pair.split("=", 1) for pair in the("ENV").split())
    assert environment["SKLEARN_KSERVE_HOST"] == "0.0.0.0"
    assert environment["SKLEARN_KSERVE_ALLOW_UNAUTHENTICATED"] == "true"
    assert the("EXPOSE") == "8080 8081"


def test_an_old_builder_can_read_the_dockerfile() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "<<" not in text
    assert not re.search(r"^COPY .*--link|^RUN --mount", text, flags=re.MULTILINE)


# --- workflows and hooks


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_calls_make_and_pinned_actions_alone(workflow: Path) -> None:
    steps = [step for job in yaml.safe_load(workflow.read_text())["jobs"].values() for step in job["steps"]]
    assert steps
    loose = [step for step in steps if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step.get("uses", "x@" + "0" * 40))]
    assert loose == []
    assert [step["run"] for step in steps if not step.get("run", "make ").startswith("make ")] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read(workflow: Path) -> None:
    document = yaml.safe_load(workflow.read_text())
    assert document["permissions"] == {"contents": "read"}
    assert [name for name, job in document["jobs"].items() if "permissions" in job] == []


@pytest.mark.parametrize(
    ("fails", "passes", "left_out"),
    [
        ("", True, []),
        ("test", False, []),
        ("system-setup", True, ["make test-system"]),
        ("test-system", False, []),
        ("cluster-setup", True, ["make smoke"]),
        ("cluster-up", True, ["make smoke"]),
        ("smoke", False, []),
    ],
)
def test_the_ci_script_leaves_out_what_the_machine_can_not_and_fails_by_what_it_can(
    tmp_path: Path, fails: str, *, passes: bool, left_out: list[str]
) -> None:
    calls = tmp_path / "calls"
    program = tmp_path / "make"
    program.write_text(f'#!/bin/sh\necho "$1" >> {calls}\n[ "$1" != "{fails}" ]\n')
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / ".ci" / "run"], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is passes, done.stderr
    assert (
        re.findall(r"^LEFT OUT on this machine, for the reason above: (make [\w-]+):", done.stderr, re.MULTILINE)
        == left_out
    )
    made = calls.read_text().split()
    assert made[0] == "test"
    # A cluster that came up goes, whatever came of the tests.
    assert ("cluster-down" in made) is ("smoke" in made)
    if passes and not left_out:
        assert made == ["test", "system-setup", "test-system", "cluster-setup", "cluster-up", "smoke", "cluster-down"]


@pytest.mark.parametrize("target", ["test-system", "smoke"])
def test_the_ci_script_asks_once_more_what_failed_with_real_parts(tmp_path: Path, target: str) -> None:
    calls = tmp_path / "calls"
    program = tmp_path / "make"
    program.write_text(f'#!/bin/sh\necho "$*" >> {calls}\n[ "$*" != "{target}" ]\n')
    program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run([ROOT / ".ci" / "run"], env={**os.environ, "PATH": path}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    made = calls.read_text().splitlines()
    again = made[made.index(target) + 1]
    assert re.fullmatch(rf"{target} (SYSTEM|E2E)=--last-failed", again)


def test_the_hooks_are_the_tools_of_the_gate() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    gate = make("--dry-run", "test").stdout
    entries = [hook["entry"].split()[0] for hook in repository["hooks"]]
    assert entries
    assert [entry for entry in entries if entry not in gate] == []
