"""The pages that users read."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def pages() -> Iterator[Path]:
    """Yield every page but those about the past: decisions and changes."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.split():
        if not name.startswith(("docs/adr/", "CHANGELOG")):
            yield ROOT / name
