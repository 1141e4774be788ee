import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline

from model.artifact import read_manifest
from model.artifact.commands import add_parsers
from tests.signing import KeyPair, key_pair
from tests.unit.engine import networks

EditManifest = Callable[[Callable[[dict[str, Any]], object]], Path]


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser(prog="sklearn-kserve")
    add_parsers(parser.add_subparsers(required=True))
    args = parser.parse_args([str(argument) for argument in arguments])
    code: int = args.func(args)
    return code


@pytest.fixture
def own(tmp_path: Path, pipeline: Pipeline, sample: pd.DataFrame) -> Path:
    """A directory as somebody has it who has fitted an estimator."""
    joblib.dump(pipeline, tmp_path / "mine.joblib")
    sample.assign(answer=1).to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path


def publish(own: Path, *more: object, sample: str = "rows.csv", estimator: str = "mine.joblib") -> int:
    return run("publish", own / estimator, "--name", "m", "--root", own / "root", "--sample", own / sample, *more)


class TestPublish:
    def test_prints_the_directory_and_what_was_published(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert publish(own, "--target", "answer", "--metric", "auc=0.75", "--metric", "n=60") == 0
        out, err = capsys.readouterr()
        *lines, engine, parity = out.splitlines()
        assert lines == [
            str(own / "root" / "m" / "1"),
            "published m version 1",
            "  estimator  sklearn.pipeline.Pipeline (model.joblib)",
            "  inputs     length, count, island",
            "  outputs    predict, predict_proba, predict_log_proba, decision_function",
        ]
        assert engine.startswith("  engine     onnx (model.onnx) answers predict, predict_proba, ")
        assert parity.startswith("  parity     ")
        assert err == ""
        manifest = read_manifest(own / "root" / "m" / "1")
        assert manifest.metrics == {"auc": 0.75, "n": 60.0}
        assert manifest.signature.names == ("length", "count", "island")

    def test_goes_without_an_engine_where_that_is_asked_for(
        self, own: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert publish(own, "--no-accelerate", "--target", "answer") == 0
        assert "  engine  " not in capsys.readouterr().out
        assert sorted(path.name for path in (own / "root" / "m" / "1").iterdir()) == ["manifest.json", "model.joblib"]

    def test_takes_a_network(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (own / "net.onnx").write_bytes(networks.classifier())
        assert run("publish", own / "net.onnx", "--name", "m", "--root", own / "root", "--metric", "auc=1") == 0
        assert capsys.readouterr().out.splitlines() == [
            str(own / "root" / "m" / "1"),
            "published m version 1",
            "  estimator  onnx.ModelProto (model.onnx)",
            "  inputs     image",
            "  outputs    probabilities, label",
        ]
        assert run("inspect", own / "root" / "m" / "1") == 0
        assert "image  FP32      refused" in capsys.readouterr().out

    def test_a_network_that_is_none_is_one_sentence(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (own / "net.onnx").write_bytes(b"")
        assert run("publish", own / "net.onnx", "--name", "m", "--root", own / "root") == 1
        assert run("publish", own / "nowhere.onnx", "--name", "m", "--root", own / "root") == 1
        broken, missing = capsys.readouterr().err.splitlines()
        assert "The network can't be run by onnxruntime" in broken
        assert "nowhere.onnx is no file; check the path" in missing

    def test_takes_parquet_and_writes_skops(self, own: Path, sample: pd.DataFrame) -> None:
        sample.to_parquet(own / "rows.parquet")
        assert publish(own, "--format", "skops", sample="rows.parquet") == 0
        assert (own / "root" / "m" / "1" / "model.skops").is_file()

    def test_takes_the_users_own_modules(self, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        code = own / "code"
        code.mkdir()
        (code / "own_command.py").write_text(
            "from sklearn.linear_model import LinearRegression\nclass Mine(LinearRegression): pass\n"
        )
        monkeypatch.setattr(sys, "path", [str(code), *sys.path])
        from own_command import Mine  # type: ignore[import-not-found]

        joblib.dump(Mine().fit([[1.0], [2.0]], [1, 2]), own / "own.joblib")
        pd.DataFrame({"a": [1.0, 2.0]}).to_csv(own / "own.csv", index=False)
        monkeypatch.delitem(sys.modules, "own_command")
        monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(code)])

        assert publish(own, estimator="own.joblib", sample="own.csv") == 1
        assert publish(own, "--code_dir", code, estimator="own.joblib", sample="own.csv") == 0
        assert run("verify", own / "root" / "m" / "1") == 0
        monkeypatch.delitem(sys.modules, "own_command")
        monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(code)])
        assert run("verify", own / "root" / "m" / "1") == 1
        assert run("verify", "--code_dir", code, own / "root" / "m" / "1") == 0
        sys.modules.pop("own_command", None)

    @pytest.mark.parametrize(
        ("more", "sentence"),
        [
            (["--target", "species"], "has no column 'species'; it has length, count, island, answer"),
            (["--name", "../m"], "'../m' is no model name"),
            (["--sample", "nowhere.csv"], "nowhere.csv can't be read: No such file or directory"),
            (["--code_dir", "nowhere"], "The code_dir nowhere is no directory"),
            (["--root", "/proc/models"], "can't be written"),
            (["--metric", "auc=nan"], "The metric 'auc' is nan; expected a finite number"),
        ],
    )
    def test_a_mistake_is_one_sentence(
        self, own: Path, capsys: pytest.CaptureFixture[str], more: Sequence[str], sentence: str
    ) -> None:
        assert publish(own, *more) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("sklearn-kserve: ")
        assert sentence in err
        assert err.count("\n") == 1
        assert not (own / "root").exists()

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (None, "mine.joblib is no file; check the path"),
            (b"no pickle", "mine.joblib can't be loaded"),
            ({"a": 1}, "dict has none of predict"),
            (LogisticRegression(), "LogisticRegression.predict refuses the sample"),
            (LinearRegression().fit(np.eye(2), [1, 2]), "The sample has 4 columns where the estimator was fitted on 2"),
        ],
    )
    def test_an_estimator_that_is_none_is_one_sentence(
        self, own: Path, capsys: pytest.CaptureFixture[str], content: Any, sentence: str
    ) -> None:
        (own / "mine.joblib").unlink()
        if isinstance(content, bytes):
            (own / "mine.joblib").write_bytes(content)
        elif content is not None:
            joblib.dump(content, own / "mine.joblib")
        assert publish(own) == 1
        err = capsys.readouterr().err
        assert sentence in err
        assert err.count("\n") == 1

    def test_an_estimator_of_another_scikit_learn_is_warned_about(
        self, own: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        import sklearn

        old = b"0." + sklearn.__version__[2:].encode()
        content = (own / "mine.joblib").read_bytes()
        (own / "mine.joblib").write_bytes(content.replace(sklearn.__version__.encode(), old))
        assert publish(own, "--target", "answer") == 0
        assert f"warning: {own / 'mine.joblib'} was made with scikit-learn {old.decode()}" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--metric", "auc"],
            ["--metric", "auc=high"],
            ["--format", "onnx"],
            ["--unknown"],
        ],
    )
    def test_wrong_usage_is_two(self, own: Path, arguments: Sequence[str]) -> None:
        with pytest.raises(SystemExit) as info:
            publish(own, *arguments)
        assert info.value.code == 2

    def test_an_estimator_needs_a_sample_and_a_network_takes_none(
        self, own: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (own / "net.onnx").write_bytes(networks.classifier())
        for arguments in (["mine.joblib"], ["net.onnx", "--sample", str(own / "rows.csv")]):
            with pytest.raises(SystemExit) as info:
                run("publish", own / arguments[0], *arguments[1:], "--name", "m", "--root", own / "root")
            assert info.value.code == 2
        err = capsys.readouterr().err
        assert "--sample ROWS is required" in err
        assert "leave out --sample" in err


class TestInspect:
    def test_prints_what_a_person_looks_for(self, version: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("inspect", version) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "penguins version 1"
        assert "input   datatype  missing  seen" in lines
        assert "island  BYTES     allowed  Biscoe, Dream" in lines
        assert "predict            BYTES     [-1]     few, many" in lines
        assert "accuracy  0.9" in lines
        assert any(line.startswith("scikit-learn ") for line in lines)
        assert any(line.startswith("card.html     ") for line in lines)

    def test_prints_modules_and_a_long_list_of_labels_shortly(
        self, edit: EditManifest, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def change(document: dict[str, Any]) -> None:
            document["modules"] = {"xgboost": {"distribution": "xgboost-cpu", "version": "3.2.0"}, "mine": None}
            document["signature"]["outputs"][0]["labels"] = list("abcdefg")
            document["metrics"] = {}
            document["signature"]["inputs"][0]["minimum"] = None
            document["git_commit"] = "0123abc"

        assert run("inspect", edit(change)) == 0
        out = capsys.readouterr().out
        assert "xgboost       xgboost-cpu 3.2.0\n" in out
        assert "mine          the model's own code\n" in out
        assert "a, b, c, d, e and 2 more\n" in out
        assert "length  FP64      allowed\n" in out
        assert "git commit 0123abc" in out
        assert "metric" not in out

    def test_prints_json_as_it_was_written(self, version: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("inspect", "--json", version) == 0
        assert json.loads(capsys.readouterr().out) == json.loads((version / "manifest.json").read_text())

    def test_a_directory_without_a_manifest_is_one_sentence(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("inspect", tmp_path) == 1
        assert "manifest.json is missing" in capsys.readouterr().err


class TestVerify:
    def test_says_so(self, version: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("verify", version) == 0
        assert capsys.readouterr() == (f"verified: {version}\n", "")

    def test_warns_on_stderr(self, edit: EditManifest, capsys: pytest.CaptureFixture[str]) -> None:
        version = edit(lambda document: document["environment"]["packages"].update(numpy="2.0.99"))
        assert run("verify", version) == 0
        out, err = capsys.readouterr()
        assert out.startswith("verified: ")
        assert err.startswith("sklearn-kserve: warning: penguins version 1 was made with numpy 2.0.99")

    def test_a_refusal_is_one_sentence_on_stderr(self, version: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (version / "model.joblib").write_bytes(b"")
        assert run("verify", version) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"sklearn-kserve: {version / 'model.joblib'} has sha256 ")
        assert err.count("\n") == 1

    def test_nothing_vouches_for_a_bare_artifact(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("verify", own) == 1
        assert "has no manifest.json, and one is required here" in capsys.readouterr().err


class TestAccelerate:
    def test_prints_the_engine_and_inspect_prints_it_again(
        self, version: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("accelerate", version) == 0
        first, engine, parity = capsys.readouterr().out.splitlines()
        assert first == "penguins version 1"
        assert engine.startswith("  engine     onnx (model.onnx) answers predict, predict_proba, ")
        assert "rows answered alike, the largest difference" in parity
        assert run("verify", version) == 0
        assert run("inspect", version) == 0
        assert engine in capsys.readouterr().out.splitlines()

    def test_says_why_there_is_no_engine(self, version: Path, capsys: pytest.CaptureFixture[str]) -> None:
        reason = "treelite reads no sklearn"
        assert run("accelerate", version, "--engine", "treelite") == 0
        assert capsys.readouterr().out.splitlines() == [
            "penguins version 1",
            "  engine     sklearn",
            f"  no treelite: {reason}.pipeline.Pipeline; from step 1 on: {reason}.linear_model._logistic.LogisticRegression",
        ]

    def test_a_refusal_is_one_sentence(self, version: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (version / "model.joblib").write_bytes(b"")
        assert run("accelerate", version) == 1
        assert capsys.readouterr().err.startswith(f"sklearn-kserve: {version / 'model.joblib'} has sha256 ")

    def test_an_engine_that_there_is_not_is_wrong_usage(self, version: Path) -> None:
        with pytest.raises(SystemExit) as info:
            run("accelerate", version, "--engine", "abacus")
        assert info.value.code == 2


class TestSign:
    @pytest.fixture
    def key(self, tmp_path: Path) -> KeyPair:
        return key_pair(tmp_path, "own")

    def test_signs_what_verify_then_approves(
        self, version: Path, key: KeyPair, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("sign", version, "--private_key", key.private) == 0
        signed, _, fingerprint = capsys.readouterr().out.partition(", key ")
        assert (signed, len(fingerprint)) == (f"signed: {version}", 17)
        other = key_pair(version.parent, "other")
        assert run("verify", version, "--verify_key", other.public, "--verify_key", key.public) == 0
        out, err = capsys.readouterr()
        assert (out, err) == (f"verified: {version}, signed with the key of {key.public}\n", "")
        assert run("verify", version, "--verify_key", other.public) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert f"made with a key of fingerprint {fingerprint.strip()!r}" in err

    def test_an_unsigned_version_is_one_sentence(
        self, version: Path, key: KeyPair, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("verify", version, "--verify_key", key.public) == 1
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert err.startswith(f"sklearn-kserve: {version} is unsigned: it has no model.sig")

    def test_verify_says_that_it_was_given_no_key(
        self, version: Path, key: KeyPair, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("sign", version, "--private_key", key.private) == 0
        capsys.readouterr()
        assert run("verify", version) == 0
        out, err = capsys.readouterr()
        assert out == f"verified: {version}\n"
        assert err == (
            f"sklearn-kserve: warning: {version} is signed, which was not looked at; give the public key: --verify_key.\n"
        )

    def test_inspect_says_whether_there_is_a_signature(
        self, version: Path, key: KeyPair, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("inspect", version) == 0
        assert "  signed     no\n" in capsys.readouterr().out
        assert run("sign", version, "--private_key", key.private) == 0
        assert run("inspect", version) == 0
        assert "  signed     model.sig, not verified\n" in capsys.readouterr().out

    def test_publish_signs_as_well(self, own: Path, key: KeyPair, capsys: pytest.CaptureFixture[str]) -> None:
        (own / "net.onnx").write_bytes(networks.classifier())
        assert publish(own, "--target", "answer", "--private_key", key.private) == 0
        network = ("publish", own / "net.onnx", "--name", "m", "--root", own / "root")
        assert run(*network, "--private_key", key.private) == 0
        for version in ("1", "2"):
            assert run("verify", own / "root" / "m" / version, "--verify_key", key.public) == 0
        assert capsys.readouterr().err == ""

    def test_a_key_that_is_none_is_one_sentence(
        self, version: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("sign", version, "--private_key", tmp_path / "none.pem") == 1
        assert run("verify", version, "--verify_key", tmp_path / "none.pem") == 1
        sentence = f"sklearn-kserve: The key {tmp_path / 'none.pem'} is no file; check the path.\n"
        assert capsys.readouterr().err == 2 * sentence
