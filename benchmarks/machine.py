"""The machine and the versions that a run was made with."""

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Final

import psutil

from benchmarks.candidates import Candidate
from benchmarks.results import Machine
from benchmarks.workloads import OURS, PLAIN
from model import __version__

_CPUINFO: Final = Path("/proc/cpuinfo")
_GIB: Final = 1 << 30
_PACKAGES: Final = (
    "kserve",
    "mlserver",
    "bentoml",
    "fastapi",
    "scikit-learn",
    "numpy",
    "onnxruntime",
    "treelite",
    "uvicorn",
    "uvloop",
    "grpcio",
)
_ASK: Final = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def cores() -> tuple[str, str]:
    """
    Return the core of the servers and the core of the load, as ``taskset -c`` takes them.

    Raises
    ------
    OSError
        There is one core only.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) == 1:
        raise OSError("The benchmarks need two cores, one for the server and one for the load; there is one.")
    return str(usable[0]), str(usable[1])


def describe(load_before: float) -> Machine:
    """Return what there is to say of this machine, at the end of a run that began with this load."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(psutil.virtual_memory().total / _GIB),
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        python=platform.python_version(),
        load_before=round(load_before, 2),
        load_after=round(os.getloadavg()[0], 2),
    )


def versions(candidate: Candidate) -> dict[str, str]:
    """Return the versions of what matters in a server's environment."""
    asked = subprocess.run([candidate.python, "-c", _ASK, *_PACKAGES], capture_output=True, check=True)
    found: dict[str, str] = json.loads(asked.stdout)
    return {OURS: __version__, **found} if candidate.name in {OURS, PLAIN} else found


def _cpu() -> str:
    lines = _CPUINFO.read_text().splitlines() if _CPUINFO.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
