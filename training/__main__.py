"""``python -m training``, which is ``sklearn-kserve-train``."""

import gc
import sys


def main() -> int:
    """Run the command line of this process, and return its exit code."""
    # What is imported stays: to look for garbage among it, over and over, is a fifth of a short run.
    gc.disable()
    from training import cli  # noqa: PLC0415 -- not before

    gc.freeze()
    gc.enable()
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
