"""
How many CPUs this process may use, and how many threads of its libraries share them.

This is the one place that decides either: for BLAS and OpenMP here, and onnxruntime is told by its callers.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from threadpoolctl import threadpool_limits

_MEMBERSHIP: Final = Path("/proc/self/cgroup")
_HIERARCHIES: Final = Path("/sys/fs/cgroup")
_OPENMP: Final = "OMP_NUM_THREADS"
_BLAS: Final = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


def available_cpus(membership: Path = _MEMBERSHIP, hierarchies: Path = _HIERARCHIES) -> int:
    """
    Return the CPUs that threads can keep busy without being throttled.

    Parameters
    ----------
    membership, hierarchies : Path
        Where the kernel tells a process's cgroups, and where their files are.

    Returns
    -------
    int
        The smaller of affinity and cgroup limit, at least 1. A limit of 1.5 CPUs counts as one: two busy threads would
        use up their share of each 100 ms period early and stand still for the rest of it.
    """
    affinity = len(os.sched_getaffinity(0))
    limit = cgroup_limit(membership, hierarchies)
    return affinity if limit is None else max(1, min(affinity, int(limit)))


@dataclass(frozen=True, slots=True)
class Share:
    """
    What one process has of the CPUs.

    Parameters
    ----------
    threads : int
        Threads that run models.
    calculation : int
        Threads that BLAS, OpenMP and onnxruntime use in each of those.
    """

    threads: int
    calculation: int


def share(workers: int = 1, threads: int | None = None, *, cpus: int | None = None) -> Share:
    """
    Divide the CPUs among processes, and a process's among its threads and those of its libraries.

    Parameters
    ----------
    workers : int
        Processes.
    threads : int or None
        Threads that run models in each of them, where the operator says; None means one for each of its CPUs.
    cpus : int or None
        None means those that are available.
    """
    own = max(1, (cpus or available_cpus()) // workers)
    return Share(threads or own, max(1, own // (threads or own)))


def limit_threads(count: int) -> None:
    """
    Let BLAS and OpenMP use so many threads for a calculation.

    Where several threads or processes run models, libraries that each start a thread per core take turns on the same
    cores, and a calculation takes many times as long. Call it before NumPy is imported, and first thing in each thread
    that runs models: what is set for OpenMP holds for one thread. What the operator has set in the environment stands.

    Parameters
    ----------
    count : int
        Threads, at least 1.
    """
    for variable in (_OPENMP, *_BLAS):
        os.environ[variable] = os.environ.get(variable) or str(count)  # An empty one is none: templates leave such.
    blas = min(_number(os.environ[variable], count) for variable in _BLAS)
    threadpool_limits({"openmp": _number(os.environ[_OPENMP], count), "blas": blas})


def calculation_threads() -> int:
    """Return how many threads a calculation may use here, for libraries that have to be told; 1 without a limit."""
    return _number(os.environ.get(_OPENMP, ""), 1)


def _number(text: str, default: int) -> int:
    """Return a number of threads; OpenMP takes one per level of nesting, separated by commas."""
    first = text.partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else default


def cgroup_limit(membership: Path = _MEMBERSHIP, hierarchies: Path = _HIERARCHIES) -> float | None:
    """
    Return the lowest CPU limit of this process's cgroup and of those above it.

    Returns
    -------
    float or None
        In CPUs; None without a limit.

    References
    ----------
    Linux, "Control Group v2", ``cpu.max``; "CFS Bandwidth Control", ``cpu.cfs_quota_us``.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    limits = [limit for directory in _directories(lines, hierarchies) if (limit := _limit(directory)) is not None]
    return min(limits, default=None)


def _directories(lines: list[str], hierarchies: Path) -> Iterator[Path]:
    """Yield the directories of the cgroups that can limit the CPU, each with all above it."""
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Inside a container the path may be the host's; then only the root of the hierarchy is there to be read.
        inside = PurePosixPath(path.lstrip("/"))
        for part in (inside, *inside.parents):
            yield hierarchies / controllers / part


def _limit(directory: Path) -> float | None:
    return _read_v2(directory / "cpu.max") or _read_v1(directory / "cpu.cfs_quota_us", directory / "cpu.cfs_period_us")


def _read_v2(file: Path) -> float | None:
    words = _words(file)
    return None if not words or words[0] == "max" else int(words[0]) / int(words[1])


def _read_v1(quota_file: Path, period_file: Path) -> float | None:
    quota, period = _words(quota_file), _words(period_file)
    return None if not quota or not period or int(quota[0]) <= 0 else int(quota[0]) / int(period[0])


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
