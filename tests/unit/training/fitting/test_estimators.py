from pathlib import Path
from typing import Any

import pytest

from training.config.estimator import EstimatorChoice
from training.errors import ConfigurationError
from training.fitting.estimators import build
from training.metrics import Task


def choice(path: str, **parameters: Any) -> EstimatorChoice:
    return EstimatorChoice.model_validate({"class": path, "parameters": parameters})


def test_each_task_has_a_default() -> None:
    assert type(build(None, Task.CLASSIFICATION, 0)).__name__ == "LogisticRegression"
    assert type(build(None, Task.REGRESSION, 0)).__name__ == "Ridge"


def test_parameters_are_given() -> None:
    assert build(choice("sklearn.svm.SVC", C=3), Task.CLASSIFICATION, 0).C == 3


def test_the_seed_is_given_unless_the_configuration_has_one() -> None:
    forest = "sklearn.ensemble.RandomForestRegressor"
    assert build(choice(forest), Task.REGRESSION, 5).random_state == 5
    assert build(choice(forest, random_state=1), Task.REGRESSION, 5).random_state == 1


def test_an_estimator_without_chance_needs_no_seed() -> None:
    assert (
        "random_state"
        not in build(choice("sklearn.neighbors.KNeighborsClassifier"), Task.CLASSIFICATION, 5).get_params()
    )


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("LogisticRegression", "expected the import path of a class of an installed package, such as sklearn.linear_"),
        ("os.system", "expected the import path of a class of an installed package"),
        ("no_such_package.Model", "expected the import path of a class of an installed package"),
        ("sklearn.nothing.Model", "which cannot be imported: No module named 'sklearn.nothing'"),
        ("sklearn.linear_model.Nothing", "expected a scikit-learn estimator for classification"),
        ("sklearn.linear_model.Ridge", "expected a scikit-learn estimator for classification"),
        ("sklearn.base.clone", "expected a scikit-learn estimator for classification"),
        ("numpy.ndarray", "expected a scikit-learn estimator for classification"),
    ],
)
def test_what_is_no_estimator_for_the_task_is_refused(path: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(choice(path), Task.CLASSIFICATION, 0)
    assert str(caught.value).startswith(f"estimator.class is {path!r}")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(("package", "extra"), [("xgboost",) * 2, ("lightgbm",) * 2, ("skorch", "torch")])
def test_an_extra_that_is_not_installed_is_named(package: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.imports.distributions_of", lambda _: ())
    with pytest.raises(ConfigurationError, match=rf"install it by pip install 'sklearn-kserve\[{extra}\]'"):
        build(choice(f"{package}.Some"), Task.CLASSIFICATION, 0)


def test_a_file_that_lies_about_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stray_module.py").write_text("from pathlib import Path\nPath(__file__).with_name('ran').touch()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match="of an installed package"):
        build(choice("stray_module.Model"), Task.CLASSIFICATION, 0)
    assert not (tmp_path / "ran").exists()


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"estimator\.parameters do not fit sklearn\.svm\.SVC: .*'Cx'"):
        build(choice("sklearn.svm.SVC", Cx=1), Task.CLASSIFICATION, 0)
