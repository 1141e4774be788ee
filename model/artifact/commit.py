"""The git commit that an estimator was published from."""

import shutil
import subprocess
from pathlib import Path


def git_commit(directory: Path | None = None) -> str | None:
    """Return the commit that is checked out in a directory, or None where there is none."""
    git = shutil.which("git")
    if git is None:
        return None
    found = subprocess.run(  # noqa: S603 -- a fixed command
        [git, "rev-parse", "--verify", "HEAD"], cwd=directory, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() if found.returncode == 0 else None
