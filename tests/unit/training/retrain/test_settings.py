import re
from pathlib import Path

from training.config.retrain import Drift, Retrain

PAGE = (Path(__file__).parents[4] / "docs" / "training" / "retraining.md").read_text()


def test_the_defaults_are_those_that_are_promised() -> None:
    assert Retrain().model_dump(mode="json") == {
        "any": ["data", "configuration", "code", "drift", "age"],
        "require": [],
        "min_new_rows": 0,
        "max_age_days": 30,
        "min_interval_hours": 0,
        "drift": {
            "metrics_urls": [],
            "prometheus_url": None,
            "selector": "",
            "minutes": 30,
            "input_psi": 0.2,
            "features": 1,
            "prediction_psi": 0.2,
            "timeout_seconds": 10,
            "unanswered": "ignore",
        },
    }


def test_every_setting_is_documented_with_its_default() -> None:
    documented = dict(re.findall(r"^\| `retrain\.([\w.]+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE))
    flat = {f"drift.{key}": value for key, value in Drift().model_dump(mode="json").items()}
    flat |= {key: value for key, value in Retrain().model_dump(mode="json").items() if key != "drift"}
    assert set(documented) == set(flat)
    for key, value in flat.items():
        if isinstance(value, int | float):
            assert documented[key] == f"{value:g}"
