from pathlib import Path

import pytest

from model.artifact.distributions import distributions_of


def test_a_module_is_found_by_what_brings_it() -> None:
    assert distributions_of("sklearn") == ("scikit-learn",)


def test_what_is_installed_meanwhile_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert distributions_of("plums") == ()
    description = tmp_path / "plum_tree-1.0.dist-info"
    description.mkdir()
    (description / "METADATA").write_text("Metadata-Version: 2.1\nName: plum-tree\nVersion: 1.0\n")
    (description / "top_level.txt").write_text("plums\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert distributions_of("plums") == ("plum-tree",)
