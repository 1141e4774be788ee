"""
Programs that tests run: built from the Go modules in `tools/`, once for each version, or brought by Python packages.

    python -m tests.tools helm3 helm4

builds what these modules name, unless it is there, and prints the directories.
"""

import argparse
import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
MODULES: Final = ROOT / "tools"
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sklearn-kserve"
KUBERNETES: Final = "1.35.4"
_GO: Final = (1, 26)
_VERSION: Final = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES.split(".")
# Where a program does not know its version from its module.
_STAMPS: Final = {
    "kubernetes": {
        f"{_VERSION}.gitVersion": f"v{KUBERNETES}",
        f"{_VERSION}.gitMajor": _MAJOR,
        f"{_VERSION}.gitMinor": _MINOR,
    },
}
# What is built at all: of Prometheus' ways to find what it scrapes one, for the others bring a cloud's library each.
_TAGS: Final = {"prometheus": "remove_all_sd,enable_kubernetes_sd"}


class Unavailable(Exception):
    """A program is not there and can't be made; the message says why."""


@cache
def built(module: str) -> Path:
    """
    Return the directory of a module's programs, building them where there are none of this version yet.

    Parameters
    ----------
    module : str
        A directory of `tools/`, whose go.mod names the programs and whose go.sum pins what goes into them.

    Raises
    ------
    Unavailable
    """
    source = MODULES / module
    stamps = " ".join(f"-X {name}={value}" for name, value in _STAMPS.get(module, {}).items())
    # Static, so that a program runs in an image as well; without a debugger's tables, which are a third of it.
    options = ["-trimpath", f"-ldflags=-s -w {stamps}", *(["-tags", _TAGS[module]] if module in _TAGS else [])]
    digest = hashlib.sha256(repr(options).encode())
    for file in sorted(path for path in source.iterdir() if path.is_file()):
        digest.update(file.read_bytes())
    programs = CACHE / "tools" / f"{module}-{digest.hexdigest()[:12]}"
    if programs.is_dir():
        return programs
    print(f"building {module} …", file=sys.stderr, flush=True)
    programs.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=programs.parent) as directory:
        partial = Path(directory, module)
        _go(module, "install", *options, "tool", GOBIN=str(partial))
        with contextlib.suppress(OSError):  # somebody else has built it meanwhile
            partial.rename(programs)
    return programs


@cache
def source_of(module: str, dependency: str) -> Path:
    """Return where the source of a module's dependency is, with the charts and CRDs that it carries."""
    _go(module, "mod", "download", dependency)
    return Path(_go(module, "list", "-m", "-f", "{{.Dir}}", dependency).strip())


def version_of(module: str, dependency: str) -> str:
    """Return the version of a module's dependency."""
    return _go(module, "list", "-m", "-f", "{{.Version}}", dependency).strip()


def packaged(name: str) -> Path:
    """Return a program that a Python package has put beside this interpreter."""
    program = Path(sys.executable).with_name(name)
    if not program.exists():
        raise Unavailable(f"{program} is missing; `make install` puts it there")
    return program


@cache
def go() -> str | None:
    """Return Go, of a release that the modules can do with: the one that `make` fetches, or else the machine's."""
    for directory in (ROOT / "var" / "go" / "bin", *os.environ.get("PATH", "").split(":"), "/usr/local/go/bin"):
        if found := shutil.which("go", path=str(directory)):
            said = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout
            version = re.search(r"go(\d+)\.(\d+)", said)
            if version and tuple(map(int, version.groups())) >= _GO:
                return found
    return None


def _go(module: str, *args: str, **env: str) -> str:
    if (program := go()) is None:
        raise Unavailable(f"Missing: Go, {'.'.join(map(str, _GO))} or newer; `make var/go/.installed` fetches PyPI's.")
    done = subprocess.run(
        [program, *args],
        cwd=MODULES / module,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"go {' '.join(args)} in {module}: {done.stderr.strip()}")
    return done.stdout


def main() -> int:
    names = sorted(found.parent.name for found in MODULES.glob("*/go.mod"))
    parser = argparse.ArgumentParser(prog="python -m tests.tools", description="Build the programs of Go modules.")
    parser.add_argument("module", nargs="+", choices=names)
    try:
        for module in parser.parse_args().module:
            print(built(module))
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
