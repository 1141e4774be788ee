import errno
import gc
import logging
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.training.project import Project
from training import __main__
from training.cli import main


def test_a_published_version_is_said_with_its_metrics(project: Project) -> None:
    result = project.train()
    assert result.code == 0
    assert re.fullmatch(rf"published {project.root}/fruit/1: accuracy 1, .*, log_loss 0\.\d+, roc_auc 1\n", result.out)


def test_nothing_to_do_is_done(project: Project) -> None:
    project.train()
    result = project.train()
    assert result.code == 0
    assert result.out == f"nothing to do: {project.root}/fruit/1 holds the same data and configuration\n"


def test_progress_goes_to_standard_error(project: Project) -> None:
    lines = project.train().err.splitlines()
    assert re.fullmatch(r"read fruit\.csv, 623 bytes, sha256 \w{64}", lines[0])
    assert lines[1:] == [
        "column 'weight' alone tells the target, with balanced accuracy 1.000 on rows not seen; list it under leakage.columns if it is known only afterwards",
        "40 rows read, 0 duplicates and 0 rows without a target dropped, 40 kept",
        "fit LogisticRegression on 30 rows of 2 columns",
        "measured on 10 rows",
        "the champion of fruit is version 1",
    ]


def test_the_log_is_left_as_it_was(project: Project) -> None:
    logger = logging.getLogger("training")
    before = (logger.handlers.copy(), logger.level)
    project.train()
    assert (logger.handlers, logger.level) == before


@pytest.mark.parametrize("arguments", [[], ["walk"], ["run"], ["run", "--config", "a.yaml"], ["run", "--rot", "r"]])
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: sklearn-kserve-train" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "changes", "sentence"),
    [
        (None, {"source": "none.csv"}, "source 'none.csv' cannot be read: No such file or directory"),
        ("", {}, "fruit.csv is empty; expected a header and rows"),
        (b"\x89PNG\r\n", {}, "fruit.csv is not text in UTF-8: the header has byte 0x89 in column 1; save it in UTF-8"),
        ("a,b\n1,2\n1,2,3\n", {}, "fruit.csv is not a CSV file: row 2 (line 3) has 3 cells, the header 2"),
        (None, {"target": "sort"}, "target names column 'sort', which the data lack; they have weight, colour, kind"),
        ("weight,kind\n1,\n2,\n", {}, "target 'kind' is missing in all 2 rows; expected a value in some"),
        ("weight,kind\n1,a\n2,a\n", {}, "target 'kind' is 'a' in every row; expected at least two classes"),
        (None, {"colour": "red"}, "fruit.yaml: key 'colour' is unknown; expected one of name, source,"),
        (None, {"task": None}, "fruit.yaml: key 'task' is missing"),
        (None, {"estimator": {"class": "no_such.Model"}}, "estimator.class is 'no_such.Model'; expected the import"),
        (
            None,
            {"estimator": {"class": "sklearn.svm.SVC", "parameters": {"C": -1}}},
            "SVC cannot be fitted: The 'C' parameter of SVC must be a float in the range (0.0, inf]. Got -1 instead.",
        ),
    ],
)
def test_a_failure_is_one_sentence(project: Project, data: Any, changes: dict[str, Any], sentence: str) -> None:
    if data is not None:
        project.write_data(data)
    project.write_config(**changes)
    result = project.train()
    assert (result.code, result.out, project.versions()) == (1, "", [])
    prefix = "sklearn-kserve-train: "
    assert result.sentence.startswith(prefix)
    assert result.sentence.removeprefix(prefix).removeprefix(f"{project.directory}/").startswith(sentence)


def test_a_refusal_has_an_exit_code_of_its_own(project: Project) -> None:
    """By which a job knows that trying again changes nothing."""
    project.write_config(floor={"log_loss": 1e-9})
    result = project.train()
    assert (result.code, result.out, project.versions()) == (3, "", [])
    assert result.sentence.startswith("sklearn-kserve-train: fruit is not published: log_loss is")


def test_a_root_that_cannot_be_written_is_named(project: Project) -> None:
    result = project.train(project.data)
    assert result.code == 1
    assert re.fullmatch(
        rf"sklearn-kserve-train: {project.data}/\.runs/steps/fruit cannot be written: Not a directory", result.sentence
    )


def test_a_full_disk_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Path.open

    def full(path: Path, mode: str = "r", **settings: Any) -> Any:
        if "x" in mode:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return opened(path, mode, **settings)

    monkeypatch.setattr(Path, "open", full)
    result = project.train()
    assert result.code == 1
    assert result.sentence == (
        f"sklearn-kserve-train: a snapshot can't be written to {project.root}/.runs/snapshots: No space left on device; "
        f"nothing of it is left there"
    )
    assert project.versions() == []


def test_it_runs_as_a_module(project: Project) -> None:
    command = [sys.executable, "-m", "training", "run", "--config", str(project.config), "--root", str(project.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"published {project.root}/fruit/1: accuracy 1")
    assert done.returncode == 0


def test_it_runs_as_a_console_script() -> None:
    scripts = tomllib.loads(Path("pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["sklearn-kserve-train"] == f"{__main__.main.__module__}:{__main__.main.__name__}"


def test_garbage_is_collected_once_all_is_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training", "--help"])
    try:
        with pytest.raises(SystemExit):
            __main__.main()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
    assert "usage: sklearn-kserve-train" in capsys.readouterr().out
