"""Whether, and why, a model is trained anew: by the command, as a CronJob calls it."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression

from model.artifact import publish
from tests.buckets import BUCKET, serving_s3
from tests.unit.training.project import FRUIT, Project, Result
from tests.unit.training.retrain.answering import Asked, answering
from training.cli import main
from training.registry import CHAMPION, Registry
from training.retrain import retraining

ROOT = Path(__file__).parents[4]
MORE = FRUIT + "".join(f"{150 + i},yellow,pear\n" for i in range(5))


def again(project: Project, *more: str) -> Result:
    return project.train(command="retrain", more=more)


def champion(project: Project) -> str | None:
    return Registry(project.root).aliases("fruit").get(CHAMPION)


def record(project: Project) -> Any:
    return json.loads((project.root / ".runs" / "retrain" / "fruit" / "retrain.json").read_bytes())


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with a version, which takes seconds to train."""
    project = Project(tmp_path_factory.mktemp("fruit"))
    assert main(["retrain", "--config", str(project.config), "--root", str(project.root)]) == 0
    return project.root


@pytest.fixture
def trained(once: Path, project: Project) -> Project:
    shutil.copytree(once, project.root)
    assert champion(project) == "1"
    return project


# --- what speaks for it


def test_a_model_without_a_version_is_trained(project: Project) -> None:
    result = again(project)
    assert (result.code, result.out.partition(":")[0]) == (0, f"published {project.root}/fruit/1")
    assert record(project)["because"] == "fruit has no version yet"
    assert (record(project)["version"], champion(project)) == (1, "1")


def test_where_nothing_is_new_nothing_is_to_do(trained: Project) -> None:
    result = again(trained)
    assert (result.code, result.out) == (0, "nothing to do: fruit/1 holds the same data and configuration\n")
    assert record(trained)["retrain"] is False
    assert trained.versions() == ["1"]


def test_that_may_have_an_exit_code_of_its_own(trained: Project) -> None:
    assert again(trained, "--idle_code", "99").code == 99
    trained.write_data(MORE)
    assert again(trained, "--idle_code", "99", "--dry-run").code == 0


def test_new_data_are_a_reason_which_the_registry_keeps(trained: Project) -> None:
    trained.write_data(MORE)
    result = again(trained)
    assert (result.code, champion(trained)) == (0, "2")
    assert "train, for data: they are not those that fruit/1 was trained on" in result.err
    last = Registry(trained.root).history("fruit")[-1]
    assert (last.before, last.after) == ("1", "2")
    assert last.why.startswith("retrained, for data: they are not those that fruit/1 was trained on; accepted: ")


def test_few_new_rows_are_no_reason_and_are_counted(trained: Project) -> None:
    trained.write_config(retrain={"min_new_rows": 6})
    trained.write_data(MORE)
    result = again(trained)
    assert result.code == 0
    assert result.out.startswith("nothing to do: data: 45 rows, 5 more than fruit/1 was trained on; ")
    trained.write_config(retrain={"min_new_rows": 5})
    assert "data: yes (45 rows, 5 more than" in again(trained, "--dry-run").err
    trained.write_data("\n".join(FRUIT.splitlines()[:-4]))
    assert "data: no (36 rows, 4 fewer than" in again(trained, "--dry-run").err
    trained.write_data(FRUIT.replace("100,yellow", "101,yellow"))
    assert "data: no (40 rows, as many, but not the same, as" in again(trained, "--dry-run").err


def test_another_configuration_is_a_reason(trained: Project) -> None:
    trained.write_config(floor={"accuracy": 0.5}, split={"seed": 3})
    result = again(trained, "--dry-run")
    assert result.out == "to be trained anew, for configuration: floor, split changed since fruit/1\n"


def test_when_to_retrain_is_no_part_of_what_is_trained(trained: Project) -> None:
    trained.write_config(retrain={"max_age_days": 3})
    assert again(trained).out == "nothing to do: fruit/1 holds the same data and configuration\n"


def test_other_code_is_a_reason(trained: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sklearn, "__version__", "1.99.0")
    assert again(trained, "--dry-run").out == "to be trained anew, for code: scikit-learn changed since fruit/1\n"


def test_a_version_that_was_not_trained_here_tells_nothing_of_its_data(project: Project) -> None:
    X = np.arange(40.0).reshape(-1, 1)
    publish(LogisticRegression().fit(X, [i % 2 for i in range(40)]), X, name="fruit", root=project.root)
    result = again(project, "--dry-run")
    assert "data: yes (fruit/1 does not tell what it was trained on)" in result.err
    assert "code: unknown (fruit/1 does not tell its code)" in result.err


def test_a_run_json_of_somebody_elses_tells_nothing_either(project: Project) -> None:
    X = np.arange(40.0).reshape(-1, 1)
    fitted = LogisticRegression().fit(X, [i % 2 for i in range(40)])
    publish(fitted, X, name="fruit", root=project.root, extra_files={"run.json": b"[]"})
    assert "data: yes (fruit/1 does not tell what it was trained on)" in again(project, "--dry-run").err


def test_what_is_not_asked_for_is_no_reason(trained: Project) -> None:
    trained.write_data(MORE)
    trained.write_config(retrain={"any": ["age"]})
    assert again(trained).out.startswith("nothing to do: data: ")


@contextmanager
def old(project: Project, monkeypatch: pytest.MonkeyPatch, **ago: float) -> Iterator[None]:
    """Let time pass."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(**ago)

    with monkeypatch.context() as patched:
        patched.setattr(retraining, "datetime", Later)
        yield


def test_age_is_a_reason_with_other_data_alone(trained: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with old(trained, monkeypatch, days=31):
        assert again(trained).out == (
            "nothing to do: fruit/1 holds the same data and configuration; "
            "other data are wanted, for fruit/1 is 31.0 days old, of 30 that it may be\n"
        )
        trained.write_config(retrain={"any": ["age"]})
        trained.write_data(MORE)
        assert again(trained, "--dry-run").out.startswith("to be trained anew, for age: fruit/1 is 31.0 days old")
    with old(trained, monkeypatch, days=29):
        assert again(trained).out.startswith("nothing to do: ")


def test_between_two_trainings_the_interval_passes(trained: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    trained.write_config(retrain={"min_interval_hours": 24})
    trained.write_data(MORE)
    with old(trained, monkeypatch, hours=23):
        assert again(trained).out == (
            "nothing to do: the last training was 23.0 hours ago, of the 24 that are to pass\n"
        )
    with old(trained, monkeypatch, hours=25):
        assert again(trained, "--dry-run").out.startswith("to be trained anew, for data")


def test_a_training_that_was_refused_counts_for_the_interval(trained: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in trained.root.glob(".runs/steps/fruit/evaluate/*/step.json"):
        os.utime(path, (time.time() - 80_000,) * 2)
    settings: dict[str, Any] = {"floor": {"log_loss": 1e-9}}
    trained.write_config(**settings)
    assert again(trained).code == 3
    trained.write_config(**settings, retrain={"min_interval_hours": 1})
    trained.write_data(MORE)
    assert "the last training was 0.0 hours ago" in again(trained).out


# --- what is required


def test_what_is_required_has_to_hold_besides(trained: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    trained.write_config(split={"seed": 3}, retrain={"require": ["data", "age"]})
    assert again(trained).out == (
        "nothing to do: data is required, and they are those that fruit/1 was trained on; "
        "age is required, and fruit/1 is 0.0 days old, of 30 that it may be\n"
    )
    trained.write_data(MORE)
    with old(trained, monkeypatch, days=40):
        assert again(trained, "--dry-run").out.startswith("to be trained anew, for data")


def test_what_cannot_be_told_does_not_hold(trained: Project) -> None:
    trained.write_data(MORE)
    trained.write_config(retrain={"require": ["drift"]})
    assert again(trained).out == (
        "nothing to do: drift is required, and nobody is asked; name metrics_urls or prometheus_url in retrain.drift\n"
    )


# --- drift


def page(version: str = "1", *, rows: float = 900, psi: float | None = None) -> bytes:
    labels = f'model="fruit",version="{version}"'
    lines = [f"inference_drift_rows{{{labels}}} {rows}"]
    if psi is not None:
        lines += [f'inference_drift_psi{{{labels},feature="weight"}} {psi}']
        lines += [f"inference_prediction_drift_psi{{{labels}}} 0.01"]
    return "\n".join([*lines, ""]).encode()


@contextmanager
def server(said: bytes) -> Iterator[Asked]:
    with answering(lambda request: (200, said)) as asked:
        yield asked


def test_drift_that_a_server_tells_of_is_a_reason(trained: Project) -> None:
    trained.write_config(retrain={"any": ["drift"]})
    trained.write_data(MORE)
    with server(page(psi=0.1)) as calm:
        assert (
            "drift: the index of no column and no answer is beyond its limit, of fruit/1, by 900 rows"
            in again(trained, "--metrics_url", f"{calm.url}/metrics").out
        )
    with server(page(psi=0.1)) as calm, server(page(psi=0.7)) as moved:
        urls = ("--metrics_url", f"{calm.url}/metrics", "--metrics_url", f"{moved.url}/metrics")
        assert again(trained, *urls, "--dry-run").code == 0
    assert record(trained)["because"] == (
        "drift: the index is weight 0.40 of the input (more than 0.2), of fruit/1, by 900 rows"
    )


def test_prometheus_is_asked_as_the_configuration_says(trained: Project) -> None:
    def answer(request: Any) -> tuple[int, bytes]:
        rows = "rows" in asked.queries[-1]["query"][0]
        labels = {"version": "1"} if rows else {"version": "1", "feature": "weight"}
        series = {"metric": labels, "value": [1790000000, "900" if rows else "0.3"]}
        return 200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": [series]}}).encode()

    with answering(answer) as asked:
        trained.write_config(retrain={"drift": {"prometheus_url": asked.url, "selector": 'job="a"', "minutes": 5}})
        assert "drift: yes (the index is weight 0.30 of the input" in again(trained, "--dry-run").err
    assert all('model="fruit",job="a"' in query["query"][0] for query in asked.queries)
    assert "[5m:]" in asked.queries[1]["query"][0]


def test_drift_without_other_data_is_said(trained: Project) -> None:
    with server(page(psi=0.7)) as moved:
        trained.write_config(retrain={"drift": {"metrics_urls": [f"{moved.url}/metrics"]}})
        assert again(trained).out == (
            "nothing to do: fruit/1 holds the same data and configuration; other data are wanted, "
            "for the index is weight 0.70 of the input (more than 0.2), of fruit/1, by 900 rows\n"
        )


def test_a_replica_that_is_away_is_said_and_the_others_tell(trained: Project) -> None:
    with server(page(psi=0.7)) as moved:
        result = again(
            trained, "--metrics_url", "http://127.0.0.1:1/metrics", "--metrics_url", f"{moved.url}/metrics", "--dry-run"
        )
    assert "http://127.0.0.1:1/metrics does not answer within 10 s: " in result.err
    assert "drift: yes (the index is weight 0.70" in result.err


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (page(rows=120.4), "120 rows of fruit/1 have been seen, of the 500 that drift is told from"),
        (page(rows=0), "0 rows of fruit/1 have been seen, of the 500 that drift is told from"),
        (page(version="7", psi=0.9), "the servers tell nothing of fruit/1; they tell of 7"),
        (b"up 1\n", "the servers tell nothing of fruit/1"),
    ],
)
def test_what_the_servers_cannot_tell_is_said(trained: Project, said: bytes, sentence: str) -> None:
    with server(said) as asked:
        assert f"drift: unknown ({sentence})" in again(trained, "--metrics_url", asked.url).err


@pytest.mark.parametrize(
    ("unanswered", "code", "out"),
    [("ignore", 0, "nothing to do: "), ("retrain", 0, "to be trained anew, for drift: "), ("fail", 1, "")],
)
def test_what_an_unanswered_question_means_is_configured(
    trained: Project, unanswered: str, code: int, out: str
) -> None:
    trained.write_data(MORE)
    trained.write_config(retrain={"any": ["drift"], "drift": {"unanswered": unanswered, "timeout_seconds": 2}})
    result = again(trained, "--dry-run", "--prometheus_url", "http://127.0.0.1:1")
    assert (result.code, result.out[: len(out)]) == (code, out)
    assert "http://127.0.0.1:1/api/v1/query does not answer within 2 s: " in result.err
    assert "Connection refused" in result.err


# --- what is not done again, and what is ended


def test_what_the_gate_refuses_is_not_promoted_and_not_tried_again(trained: Project) -> None:
    trained.write_config(floor={"log_loss": 1e-9})
    result = again(trained)
    assert (result.code, result.out) == (3, "")
    assert re.search(r"fruit is not published: log_loss is ", result.sentence)
    assert (trained.versions(), champion(trained)) == (["1"], "1")
    assert record(trained)["failed"] == result.sentence.removeprefix("sklearn-kserve-train: ")
    result = again(trained)
    assert result.code == 0
    assert result.out.startswith("nothing to do: the same data and configuration were refused: log_loss is ")


def test_a_version_that_was_rolled_back_is_not_promoted_again(trained: Project) -> None:
    trained.write_data(MORE)
    again(trained)
    Registry(trained.root).rollback("fruit", why="it was bad")
    assert again(trained).out == (
        "nothing to do: fruit/2 holds the same data and configuration, and was champion before fruit/1; "
        "promote it if it is to be so again\n"
    )
    assert champion(trained) == "1"


def test_a_version_that_was_published_and_not_promoted_is_promoted(trained: Project) -> None:
    trained.write_data(MORE)
    trained.write_config(promotion="manual")
    assert again(trained).out.startswith("published ")
    assert champion(trained) == "1"
    assert again(trained).out == "nothing to do: fruit/2 waits to be promoted by hand\n"
    trained.write_config(retrain={"min_interval_hours": 24})
    assert again(trained).code == 0
    assert record(trained)["because"] == "fruit/2 was published and not promoted"
    assert (trained.versions(), champion(trained)) == (["1", "2"], "2")


def test_a_training_that_was_stopped_is_ended_whatever_the_interval(
    trained: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained.write_data(MORE)
    with monkeypatch.context() as patched:
        patched.setattr(Registry, "publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            again(trained)
    trained.write_config(retrain={"min_interval_hours": 24})
    capsys.readouterr()
    result = again(trained)
    assert record(trained)["because"] == "the model was accepted and not published"
    assert (result.code, champion(trained)) == (0, "2")
    assert "fit " not in result.err


def test_a_dry_run_leaves_it_at_the_decision(project: Project) -> None:
    result = again(project, "--dry-run")
    assert (result.code, result.out) == (0, "to be trained anew, for fruit has no version yet\n")
    assert project.versions() == []
    assert not (project.root / ".runs" / "steps" / "fruit" / "fit").exists()
    assert record(project)["retrain"] is True


def test_every_decision_stays_on_record(trained: Project) -> None:
    again(trained)
    lines = (trained.root / ".runs" / "retrain" / "fruit" / "decisions.jsonl").read_text().splitlines()
    assert [json.loads(line)["retrain"] for line in lines] == [True, False]


def test_the_record_goes_to_the_work_directory(project: Project, tmp_path: Path) -> None:
    project.train(command="retrain", work=tmp_path / "work", more=["--dry-run"])
    assert (tmp_path / "work" / "retrain" / "fruit" / "retrain.json").exists()
    assert not (project.root / ".runs").exists()


def test_a_bucket_is_a_root_whose_decisions_outlive_the_work_directory(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_s3() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        first, second = (
            project.train(f"s3://{BUCKET}", command="retrain", work=tmp_path / f"pod-{pod}") for pod in ("a", "b")
        )
        assert first.out.startswith(f"published s3://{BUCKET}/fruit/1: ")
        assert second.out == "nothing to do: fruit/1 holds the same data and configuration\n"
        project.write_data(MORE)
        third = project.train(f"s3://{BUCKET}", command="retrain", work=tmp_path / "pod-c", more=["--dry-run"])
        assert third.out == "to be trained anew, for data: they are not those that fruit/1 was trained on\n"
        assert Registry(f"s3://{BUCKET}").aliases("fruit")[CHAMPION] == "1"


def test_two_at_once_train_once(project: Project) -> None:
    files = ["--config", str(project.config), "--root", str(project.root)]
    command = [sys.executable, "-m", "training", "retrain", *files]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) for _ in range(2)]
    said = sorted(each.communicate(timeout=100)[0].partition(":")[0] for each in both)
    assert [each.returncode for each in both] == [0, 0]
    assert said == ["nothing to do", f"published {project.root}/fruit/1"]
    assert project.versions() == ["1"]


# --- wrong use


@pytest.mark.parametrize(
    "more",
    [
        ["--metrics_url", "127.0.0.1:8080"],
        ["--prometheus_url", "file:///etc/passwd"],
        ["--metrics_url", "http://a", "--prometheus_url", "http://b"],
        ["--idle_code", "no"],
    ],
)
def test_wrong_usage_exits_with_2(project: Project, more: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        again(project, *more)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"any": ["boredom"]},
            "retrain.any.0 is 'boredom'; expected 'data', 'configuration', 'code', 'drift' or 'age'",
        ),
        ({"drift": {"psi": 1}}, "key 'retrain.drift.psi' is unknown; expected one of metrics_urls, prometheus_url,"),
        ({"drift": {"metrics_urls": ["file:///a"]}}, "retrain.drift.metrics_urls.0 is 'file:///a'; "),
        (
            {"drift": {"metrics_urls": ["http://a"], "prometheus_url": "http://b"}},
            "metrics_urls and prometheus_url are both given; expected one of them",
        ),
        ({"max_age_days": 0}, "retrain.max_age_days is 0; expected"),
    ],
)
def test_a_wrong_setting_is_named(project: Project, settings: dict[str, Any], sentence: str) -> None:
    project.write_config(retrain=settings)
    result = again(project)
    assert result.code == 1
    assert sentence in result.sentence


def test_now_is_told_with_its_zone(trained: Project) -> None:
    assert datetime.fromisoformat(record(trained)["at"]).tzinfo == UTC
