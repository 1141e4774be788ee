"""The reference of all settings, made from the fields themselves."""

from typing import Final

from pydantic.fields import FieldInfo

from model.settings import flags
from model.settings.kserve import IGNORED_FLAGS, VARIABLES
from model.settings.settings import Settings

_HEAD: Final = """\
<!-- Made by `python -m model.settings`. DO NOT EDIT. -->
# Settings

Each setting is a flag of `python -m model` (`sklearn-kserve serve`) and an environment variable. A flag goes before a
variable, and an empty variable is none, except that one for keys or certificates is refused. `--http_port 8080`,
`--http_port=8080` and `--http-port 8080` are the same; a flag for true or false may stand alone for true. A wrong value
or an unknown flag ends the process with exit code 2.

| flag, variable | expects | default | meaning |
|---|---|---|---|
"""
_VARIABLES: Final = """
## KServe's own variables

| variable | is |
|---|---|
"""
_STORAGE: Final = (
    "| `STORAGE_URI` | where KServe fetched the model from; it is found at `/mnt/models`, the default here |\n"
)
_IGNORED: Final = """
## KServe's flags without a meaning here

They are accepted, and named in a warning when the server starts.

| flag | why |
|---|---|
"""


def document() -> str:
    """Return `docs/settings.md`."""
    settings = (
        _row(f"`--{name}`<br>`{flags.variable(name)}`", *_cells(field)) for name, field in Settings.options().items()
    )
    variables = (_row(f"`{source}`", f"`--{name}`") for source, name in VARIABLES.items())
    ignored = (_row(f"`--{name}`", why) for name, why in IGNORED_FLAGS.items())
    return "".join([_HEAD, *settings, _VARIABLES, *variables, _STORAGE, _IGNORED, *ignored])


def _cells(field: FieldInfo) -> tuple[str, str, str]:
    return flags.expected(field), flags.default_text(field), field.description or ""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"
