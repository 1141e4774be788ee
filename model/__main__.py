"""`python -m model` is `sklearn-kserve`."""

import sys

from model.cli import main

sys.exit(main())
