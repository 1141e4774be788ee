"""The notebooks run as they are, from where they lie, and are kept without what they show."""

import re
from pathlib import Path
from typing import Any, Final

import nbformat
import pytest
from nbclient import NotebookClient

from tests.processes import unmeasured
from tests.servers import REPOSITORY

NOTEBOOKS: Final = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # no types upstream


def test_there_are_some() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["exploration", "lifecycle"]


def test_none_is_kept_with_what_it_has_shown(path: Path) -> None:
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs or cell.execution_count]


def test_its_links_lead_somewhere(path: Path) -> None:
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#]+)", text)
    assert links
    assert not [link for link in links if not (path.parent / link).exists()]


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("default")  # of the kernel's libraries, which are no part of this project
def test_it_runs(path: Path) -> None:
    environment = {**unmeasured(), "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(read(path), timeout=250, kernel_name="python3", resources=resources)
    ended = client.execute(env=environment)
    shown = [output for cell in ended.cells for output in cell.get("outputs", ())]
    assert shown
    assert not [output for output in shown if output.get("name") == "stderr"]
