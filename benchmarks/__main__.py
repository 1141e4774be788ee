"""The commands: ``run``, ``report``, the sweeps, and ``profile``."""

import sys

from benchmarks.cli import main

sys.exit(main())
