"""What the processes are started with that run none of our code, or code whose lines are counted elsewhere."""

import os


def unmeasured() -> dict[str, str]:
    """Return this process's environment, but for what has coverage look over a child's shoulder: half of its time."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
