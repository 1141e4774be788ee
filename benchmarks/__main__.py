"""The commands: ``run``, ``report``, the sweeps, ``profile`` and ``drift``."""

import sys

from benchmarks.cli import main

sys.exit(main())
