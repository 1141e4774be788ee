from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.unit.training.steps.kitchen import workspace
from training.config import Config
from training.steps import FIT, VALIDATE
from training.steps.code import _version, code_versions

XGBOOST = {"class": "xgboost.XGBClassifier"}
LIGHTGBM = {"class": "lightgbm.LGBMClassifier"}


@pytest.fixture(autouse=True)
def upgrade(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Make a distribution look as if it were of another version."""
    version = metadata.version

    def upgrade(distribution: str) -> None:
        _version.cache_clear()
        monkeypatch.setattr(metadata, "version", lambda name: "99.0" if name == distribution else version(name))

    yield upgrade
    _version.cache_clear()


def test_packages_that_decide_nothing_do_not_count() -> None:
    assert set(code_versions({})) == {"sklearn-kserve", "scikit-learn", "python"}
    assert code_versions({"estimator": {"class": "sklearn.svm.SVC"}, "search": None}) == code_versions({})


@pytest.mark.parametrize(
    ("settings", "package", "distribution"),
    [
        ({"estimator": XGBOOST}, "xgboost", "xgboost-cpu"),
        (
            {"estimator": {"class": "sklearn.ensemble.BaggingClassifier", "parameters": {"of": [LIGHTGBM]}}},
            "lightgbm",
            "lightgbm",
        ),
        ({"features": {"transformers": [{"class": "yaml.Transformer", "columns": ["a"]}]}}, "yaml", "PyYAML"),
        ({"search": {"method": "optuna"}}, "optuna", "optuna"),
    ],
)
def test_a_package_that_the_configuration_names_counts_by_its_version(
    settings: Any, package: str, distribution: str
) -> None:
    assert code_versions(settings)[package] == metadata.version(distribution)


def test_torch_counts_where_skorch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    homes = {"skorch": ("pytest",), "torch": ("numpy",)}
    monkeypatch.setattr("training.steps.code.distributions_of", lambda package: homes[package])
    counted = code_versions({"estimator": {"class": "skorch.NeuralNetClassifier"}})
    assert (counted["skorch"], counted["torch"]) == (metadata.version("pytest"), metadata.version("numpy"))


def test_a_module_of_the_users_own_has_no_version() -> None:
    assert code_versions({"estimator": {"class": "mine.Classifier"}}) == code_versions({})


def test_an_upgrade_fits_again_and_validates_nothing_again(
    tmp_path: Path, config: Callable[..., Config], upgrade: Callable[[str], None]
) -> None:
    boosted, usual = (workspace(tmp_path, config(estimator=estimator)) for estimator in (XGBOOST, None))
    before = {step.name: (boosted.key(step), usual.key(step)) for step in (VALIDATE, FIT)}
    upgrade("xgboost-cpu")
    assert (boosted.key(VALIDATE), usual.key(VALIDATE)) == before["validate"]
    assert boosted.key(FIT) != before["fit"][0]
    assert usual.key(FIT) == before["fit"][1]
