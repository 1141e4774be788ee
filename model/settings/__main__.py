"""`python -m model.settings > docs/settings.md` writes the reference of all settings."""

import sys

from model.settings.table import document

sys.stdout.write(document())
