import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from model.artifact import publish, publish_network, read_manifest, verify
from model.errors import ArtifactError, UntrustedArtifact
from tests.unit.training.card.reading import Page
from tests.unit.training.project import FRUIT, Project
from training.card import Documents, card
from training.cli import main

HOSTILE = "<script>alert('x')</script>\" onload=\"alert(1)"


def page_of(version: Path) -> Page:
    return Page(card(Documents.of_version(version)))


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("card")
    nobody: Any = None  # is asked what it prints
    project = Project(directory, nobody)
    project.write_config(
        floor={"accuracy": 0.5},
        evaluation={"slices": {"columns": ["colour"], "min_rows": 4}},
        card={"summary": "Tells fruits apart.", "limits": ["No plums."], "contact": "fruit@example.org"},
    )
    assert main(["run", "--config", str(project.config), "--root", str(project.root)]) == 0
    return project.root / "fruit" / "1"


@pytest.fixture
def published(version: Path, tmp_path: Path) -> Path:
    return shutil.copytree(version, tmp_path / "fruit" / "1")


def test_a_published_version_has_a_card_that_its_manifest_vouches_for(published: Path) -> None:
    content = (published / "card.html").read_bytes()
    page = Page(content)
    for said in (
        "fruit version 1",
        "Tells fruits apart.",
        "No plums.",
        "fruit@example.org",
        "accuracy is 1, expected at least 0.5",
        "fruit.csv",
    ):
        assert said.lower() in " ".join(page.text.split()).lower()
    assert "card.html" in read_manifest(published).files
    (published / "card.html").write_bytes(content + b" ")
    with pytest.raises(UntrustedArtifact, match=r"card\.html"):
        verify(published, require_manifest=True)


def test_the_card_of_the_manifest_is_that_of_the_version(published: Path) -> None:
    assert card(Documents.of_version(published)) == (published / "card.html").read_bytes()


def test_it_needs_nothing_else_and_runs_nothing(published: Path) -> None:
    page = page_of(published)
    assert page.all("script") == []
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []
    for address in [*page.values("src"), *page.values("href")]:
        assert address.startswith(("#", "data:image/svg+xml;base64,"))
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_it_can_be_found_the_way_through_without_seeing(published: Path) -> None:
    page = page_of(published)
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3")]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(len(image["alt"] or "") > 20 for image in page.all("img"))
    assert len(page.all("img")) == 4
    assert len(page.all("caption")) == len(page.all("table")) > 5
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {address[1:] for address in page.values("href")} <= set(ids)
    assert set(page.values("aria-labelledby")) <= set(ids)


def test_what_a_column_is_called_is_only_text(project: Project) -> None:
    header, _, rows = FRUIT.partition("\n")
    quoted = HOSTILE.replace('"', '""')
    project.write_data(
        f"{header.replace('colour', f'''{chr(34)}{quoted}{chr(34)}''')}\n{rows.replace('pear', '<b>pear')}"
    )
    project.write_config(
        card={"summary": HOSTILE, "intended_use": HOSTILE},
        evaluation={"slices": {"columns": [HOSTILE], "min_rows": 4}},
    )
    assert project.train().code == 0
    page = Page((project.root / "fruit" / "1" / "card.html").read_bytes())
    assert page.text.count(HOSTILE) > 4
    assert "<b>pear" in page.text
    assert page.all("script") == page.all("b") == []
    assert page.values("onload") == []


def test_pictures_may_be_left_out(project: Project) -> None:
    project.write_config(evaluation={"pictures": False})
    project.train()
    assert page_of(project.root / "fruit" / "1").all("img") == []
    assert list(project.root.rglob("*.svg")) == []


def test_a_regression_has_a_card(project: Project) -> None:
    project.write_data("a,y\n" + "".join(f"{i},{2 * i + i % 3}\n" for i in range(60)))
    project.write_config(target="y", task="regression", evaluation=None)
    project.train()
    page = page_of(project.root / "fruit" / "1")
    assert "Predicts y, a number, from 1 column." in page.text
    assert len(page.all("img")) == 2


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    rows = pd.DataFrame({"a": range(20), "b": range(20)})
    model = LogisticRegression().fit(rows, [0, 1] * 10)
    return publish(model, rows, name="plain", root=tmp_path, metrics={"accuracy": 0.5}, accelerate=False)


def test_a_version_that_training_has_not_made_has_a_card_of_what_is_known(bare: Path) -> None:
    text = page_of(bare).text
    for said in (
        "The author has stated neither an intended use nor limits",
        "Metrics, as they were given when the version was published",
        "No decision is recorded",
        "Where its data came from is not recorded.",
        "scikit-learn itself answers.",
    ):
        assert said in text


def test_a_network_has_a_card(bare: Path, tmp_path: Path) -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    content = skl2onnx.to_onnx(model, np.zeros((1, 1), dtype="float32"), options={"zipmap": False}).SerializeToString()
    text = page_of(publish_network(content, name="net", root=tmp_path)).text
    assert "A network, which onnxruntime runs." in text
    assert "Nothing is recorded of how good the model is." in text


@pytest.mark.parametrize("name", ["run.json", "evaluation.json", "decision.json", "fit.json"])
@pytest.mark.parametrize("content", ["{", '["run"]', "[]"])
def test_a_file_that_training_did_not_write_is_named(bare: Path, name: str, content: str) -> None:
    with pytest.raises(UntrustedArtifact, match=f"plain version 1 has a {name} that is not what training writes"):
        Documents.of(read_manifest(bare), {name: content.encode()})


def test_a_damaged_version_has_no_card(bare: Path) -> None:
    (bare / "model.joblib").write_bytes(b"")
    with pytest.raises(ArtifactError):
        Documents.of_version(bare)


def test_the_command_prints_or_writes_the_card(bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", str(bare)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("<!DOCTYPE html>")
    assert main(["card", str(bare), "--output", str(tmp_path / "c.html")]) == 0
    assert (tmp_path / "c.html").read_text() == printed
    assert capsys.readouterr().out == f"written {tmp_path}/c.html\n"
    assert main(["card", str(tmp_path / "none")]) == 1
    assert main(["card", str(bare), "--output", str(tmp_path / "none" / "c.html")]) == 1
    error = capsys.readouterr().err.splitlines()
    assert error[-1] == f"sklearn-kserve-train: {tmp_path}/none/c.html: No such file or directory"


def test_a_settings_file_is_part_of_the_card(published: Path) -> None:
    mark = json.loads((published / "run.json").read_bytes())
    page = page_of(published)
    assert mark["snapshot"]["sha256"] in page.text
    assert "split.test_size" in page.text
