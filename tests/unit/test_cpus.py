"""CPUs: affinity and cgroup limits of both versions, nested as containers nest them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.cpus import available_cpus, calculation_threads, cgroup_limit, share


def limit(tmp_path: Path, membership: str, files: dict[str, str]) -> float | None:
    (tmp_path / "membership").write_text(membership)
    write(tmp_path / "cgroup", files)
    return cgroup_limit(tmp_path / "membership", tmp_path / "cgroup")


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def v1(directory: str, quota: int) -> dict[str, str]:
    return {f"{directory}/cpu.cfs_quota_us": f"{quota}\n", f"{directory}/cpu.cfs_period_us": "100000\n"}


@pytest.mark.parametrize(
    ("membership", "files", "wanted"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {}, None),
        ("0::/pod/app\n", {"pod/cpu.max": "200000 100000\n", "pod/app/cpu.max": "max 100000\n"}, 2.0),
        ("0::/pod/app\n", {"pod/cpu.max": "200000 100000\n", "pod/app/cpu.max": "400000 100000\n"}, 2.0),
        ("0::/kubepods/unseen-from-inside\n", {"cpu.max": "300000 100000\n"}, 3.0),
        ("4:memory:/a\n3:cpu,cpuacct:/a\n", v1("cpu,cpuacct/a", 250_000), 2.5),
        ("3:cpu,cpuacct:/a\n", v1("cpu,cpuacct/a", -1), None),
        ("3:cpu,cpuacct:/unseen-from-inside\n", v1("cpu,cpuacct", 50_000), 0.5),
        ("3:cpuset:/a\n", v1("cpuset/a", 50_000), None),
        ("1:cpu:/\n0::/\n", v1("cpu", 400_000) | {"cpu.max": "300000 100000\n"}, 3.0),
    ],
)
def test_the_lowest_limit_on_the_way_up_holds(
    membership: str, files: dict[str, str], wanted: float | None, tmp_path: Path
) -> None:
    assert limit(tmp_path, membership, files) == wanted


def test_a_system_without_cgroups_has_no_limit(tmp_path: Path) -> None:
    assert cgroup_limit(tmp_path / "membership", tmp_path) is None


@pytest.mark.parametrize(
    ("quota", "affinity", "wanted"), [("250000", 8, 2), ("250000", 1, 1), ("50000", 8, 1), ("max", 8, 8)]
)
def test_threads_fit_into_limit_and_affinity(
    quota: str, affinity: int, wanted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)))
    write(tmp_path, {"membership": "0::/\n", "cgroup/cpu.max": f"{quota} 100000\n"})
    assert available_cpus(tmp_path / "membership", tmp_path / "cgroup") == wanted


_TELL = """
import json, threading
from model.cpus import limit_threads
{before}
limit_threads(1)
import numpy, sklearn.ensemble
from threadpoolctl import threadpool_info

def tell():
    limit_threads(1)
    found.append(sorted((pool["user_api"], pool["num_threads"]) for pool in threadpool_info()))

found = []
tell()
thread = threading.Thread(target=tell)
thread.start()
thread.join()
print(json.dumps(found))
"""


def threads(before: str = "", **environment: str) -> list[dict[str, int]]:
    """Return the threads that libraries use in the main thread of a process, and in another."""
    inherited = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", _TELL.format(before=before)]
    told = subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=True, timeout=60)
    return [dict(pools) for pools in json.loads(told.stdout)]


@pytest.mark.parametrize("before", ["", "import numpy, sklearn.ensemble"])
def test_libraries_are_limited_in_every_thread_whenever_they_are_loaded(before: str) -> None:
    assert threads(before) == [{"blas": 1, "openmp": 1}] * 2


def test_an_empty_variable_is_none() -> None:
    assert threads(OMP_NUM_THREADS="", OPENBLAS_NUM_THREADS="") == [{"blas": 1, "openmp": 1}] * 2


def test_what_the_operator_has_set_stands() -> None:
    assert threads(OMP_NUM_THREADS="2,1") == [{"blas": 1, "openmp": 2}] * 2


@pytest.mark.parametrize(
    ("cpus", "workers", "threads", "wanted"),
    [
        (1, 1, None, (1, 1)),
        (8, 1, None, (8, 1)),
        (8, 2, None, (4, 1)),
        (8, 3, None, (2, 1)),
        (2, 4, None, (1, 1)),
        (8, 1, 1, (1, 8)),
        (8, 2, 1, (1, 4)),
        (8, 2, 3, (3, 1)),
        (2, 2, 6, (6, 1)),
    ],
)
def test_the_cpus_are_divided_and_not_one_is_given_twice(
    cpus: int, workers: int, threads: int | None, wanted: tuple[int, int]
) -> None:
    given = share(workers, threads, cpus=cpus)
    assert (given.threads, given.calculation) == wanted
    if threads is None:
        assert workers * given.threads * given.calculation <= max(cpus, workers)


@pytest.mark.parametrize(("value", "wanted"), [("3", 3), ("2,1", 2), ("", 1), ("many", 1)])
def test_libraries_that_have_to_be_told_are_told_the_same(
    value: str, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert calculation_threads() == wanted
