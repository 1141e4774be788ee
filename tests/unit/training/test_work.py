from pathlib import Path

import pytest

from training.work import Work


@pytest.mark.parametrize("root", ["models", Path("models")])
def test_a_root_that_is_a_directory_has_a_work_directory(root: str | Path) -> None:
    assert Work.of(root) == Work(Path("models/.runs"))


@pytest.mark.parametrize("root", ["models", "s3://models"])
def test_the_one_that_is_named_is_used(root: str) -> None:
    assert Work.of(root, Path("work")) == Work(Path("work"))


def test_a_bucket_has_none() -> None:
    assert Work.of("s3://models/team") is None


def test_what_was_never_used_is_empty(tmp_path: Path) -> None:
    work = Work(tmp_path / "work")
    assert (work.models(), work.ingested("fruit")) == ([], None)
