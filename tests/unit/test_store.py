"""What lies where: models below a root, versions below a model, and the version that an alias names."""

import errno
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from model.errors import ArtifactError
from model.store import default_version, fingerprint, model_directories, version_directories


def made(root: Path, *directories: str) -> Path:
    for directory in directories:
        (root / directory).mkdir(parents=True)
    return root


def broken(directory: Path) -> None:
    raise OSError(errno.EIO, "Input/output error", str(directory))


class TestModels:
    def test_are_the_directories_below_the_root_by_name(self, tmp_path: Path) -> None:
        made(tmp_path, "penguins", "iris-2", "A_b.c")
        assert model_directories(tmp_path) == {name: tmp_path / name for name in ("A_b.c", "iris-2", "penguins")}

    def test_are_no_files_and_nothing_hidden(self, tmp_path: Path) -> None:
        made(tmp_path, ".runs", "..data")
        (tmp_path / "README").touch()
        with capture_logs() as logs:
            assert model_directories(tmp_path) == {}
        assert logs == []

    @pytest.mark.parametrize("name", ["two words", "_private", "-dash", "naïve", "a:b"])
    def test_have_names_that_fit_a_url_and_others_are_ignored_with_a_line(self, tmp_path: Path, name: str) -> None:
        made(tmp_path, "good", name)
        with capture_logs() as logs:
            assert list(model_directories(tmp_path)) == ["good"]
        assert [(line["event"], line["directory"]) for line in logs] == [
            ("ignored, for its name is no model name", str(tmp_path / name))
        ]

    def test_may_be_links(self, tmp_path: Path) -> None:
        made(tmp_path, "..data/penguins", "root")
        (tmp_path / "root" / "penguins").symlink_to(tmp_path / "..data" / "penguins")
        assert list(model_directories(tmp_path / "root")) == ["penguins"]

    @pytest.mark.parametrize("name", ["absent", "file"])
    def test_need_a_root(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ArtifactError) as caught:
            model_directories(tmp_path / name)
        assert str(caught.value) == (
            f"The model root {tmp_path / name} is no directory; expected one of <name>/<version>/ directories."
        )

    def test_are_refused_where_the_disk_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "scandir", broken)
        with pytest.raises(ArtifactError) as caught:
            model_directories(tmp_path)
        assert str(caught.value) == (
            f"{tmp_path} can't be listed: Input/output error; mend its permissions or its disk."
        )

    def test_are_ignored_with_one_line_however_often_they_are_listed(self, tmp_path: Path) -> None:
        made(tmp_path, "two words", "fish/next")
        with capture_logs() as logs:
            for _ in range(3):
                model_directories(tmp_path)
                version_directories(tmp_path / "fish")
        assert [line["directory"] for line in logs] == [str(tmp_path / "two words"), str(tmp_path / "fish" / "next")]


class TestVersions:
    def test_are_in_numeric_order(self, tmp_path: Path) -> None:
        made(tmp_path, "10", "9", "100", "1")
        assert list(version_directories(tmp_path).items()) == [(v, tmp_path / v) for v in ("1", "9", "10", "100")]

    @pytest.mark.parametrize("name", ["v1", "latest", "1.0", "01", "0", "-1", "1_000", "٣", "1 "])
    def test_are_called_by_integers_and_others_are_ignored_with_a_line(self, tmp_path: Path, name: str) -> None:
        made(tmp_path, "2", name)
        with capture_logs() as logs:
            assert list(version_directories(tmp_path)) == ["2"]
        assert [(line["event"], line["directory"]) for line in logs] == [
            ("ignored, for its name is no version number", str(tmp_path / name))
        ]

    def test_are_no_files_and_nothing_hidden(self, tmp_path: Path) -> None:
        made(tmp_path, "2", ".3", ".staging-4")
        (tmp_path / "5").touch()
        (tmp_path / "aliases.json").write_text("{}")
        with capture_logs() as logs:
            assert list(version_directories(tmp_path)) == ["2"]
        assert logs == []

    def test_are_none_in_an_empty_directory(self, tmp_path: Path) -> None:
        assert version_directories(tmp_path) == {}

    @pytest.mark.parametrize(
        "file", ["manifest.json", "MLmodel", "model.joblib", "model.pkl", "anything.pickle", "penguins.joblib"]
    )
    def test_are_one_without_number_where_the_directory_is_an_artifact(self, tmp_path: Path, file: str) -> None:
        made(tmp_path, "code")
        (tmp_path / file).touch()
        assert version_directories(tmp_path) == {"": tmp_path}

    @pytest.mark.parametrize("file", ["manifest.json", "MLmodel"])
    def test_do_not_hide_an_artifact_that_says_it_is_one(self, tmp_path: Path, file: str) -> None:
        made(tmp_path, "1")
        (tmp_path / file).touch()
        assert version_directories(tmp_path) == {"": tmp_path}

    @pytest.mark.parametrize("file", ["model.joblib", "model.pkl", "anything.pickle"])
    def test_keep_their_place_beside_a_stray_pickle(self, tmp_path: Path, file: str) -> None:
        made(tmp_path, "1", "2")
        (tmp_path / file).touch()
        assert list(version_directories(tmp_path)) == ["1", "2"]

    def test_are_refused_where_the_disk_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "scandir", broken)
        with pytest.raises(ArtifactError) as caught:
            version_directories(tmp_path)
        assert str(caught.value) == (
            f"{tmp_path} can't be listed: Input/output error; mend its permissions or its disk."
        )

    def test_are_not_recognised_by_a_directory_with_the_name_of_a_file(self, tmp_path: Path) -> None:
        made(tmp_path, "1", "old.joblib")
        assert list(version_directories(tmp_path)) == ["1"]

    @pytest.mark.parametrize(("name", "got"), [("absent", "No such file or directory"), ("file", "Not a directory")])
    def test_are_refused_where_there_is_no_directory(self, tmp_path: Path, name: str, got: str) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(ArtifactError) as caught:
            version_directories(tmp_path / name)
        assert str(caught.value) == (
            f"{tmp_path / name} is no directory that can be read ({got}); "
            f"expected that of a model or of its versions; check the path."
        )


class TestDefaultVersion:
    @pytest.mark.parametrize("text", ['{"champion": "3"}', '{"champion": 3}', '{"challenger": 4, "champion": 3}'])
    def test_is_the_champion(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "aliases.json").write_text(text)
        assert default_version(tmp_path) == "3"

    @pytest.mark.parametrize("text", [None, "{}", '{"challenger": 3}', '{"champion": null}'])
    def test_is_none_where_nobody_is_champion(self, tmp_path: Path, text: str | None) -> None:
        if text is not None:
            (tmp_path / "aliases.json").write_text(text)
        assert default_version(tmp_path) is None

    @pytest.mark.parametrize(
        ("text", "got"),
        [
            ('{"champion": "latest"}', "'latest'"),
            ('{"champion": "../2"}', "'../2'"),
            ('{"champion": ""}', "''"),
            ('{"champion": "02"}', "'02'"),
            ('{"champion": 2.0}', "2.0"),
            ('{"champion": true}', "True"),
            ('{"champion": ["2"]}', "['2']"),
        ],
    )
    def test_is_a_version_number(self, tmp_path: Path, text: str, got: str) -> None:
        (tmp_path / "aliases.json").write_text(text)
        with pytest.raises(ArtifactError) as caught:
            default_version(tmp_path)
        assert str(caught.value) == (
            f"{tmp_path / 'aliases.json'} has {got} for 'champion'; expected a version number."
        )

    @pytest.mark.parametrize("text", ["[]", '"3"', "3", "null"])
    def test_stands_in_an_object(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "aliases.json").write_text(text)
        with pytest.raises(ArtifactError, match=r'aliases\.json holds no object; expected {"champion": <version>}\.'):
            default_version(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"{", b'{"champion": "\xff"}', b"champion: 3", b"[" * 99_999])
    def test_stands_in_json(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "aliases.json").write_bytes(content)
        with pytest.raises(ArtifactError, match=r"aliases\.json can't be read as JSON: .*; mend or remove it\."):
            default_version(tmp_path)

    def test_stands_in_a_file(self, tmp_path: Path) -> None:
        os.mkdir(tmp_path / "aliases.json")  # noqa: PTH102 -- what an operator's typing slip makes
        with pytest.raises(ArtifactError, match=r"aliases\.json can't be read as JSON"):
            default_version(tmp_path)


class TestAFingerprint:
    @pytest.fixture
    def version(self, tmp_path: Path) -> Path:
        version = tmp_path / "1"
        (version / "data").mkdir(parents=True)
        for name in ("manifest.json", "model.joblib", "data/model.pkl"):
            (version / name).write_text(name)
        return version

    def test_is_the_same_where_nothing_was_written(self, version: Path) -> None:
        assert fingerprint(version) == fingerprint(version)
        assert len(fingerprint(version) or ()) == 3

    @pytest.mark.parametrize("name", ["manifest.json", "model.joblib", "data/model.pkl", "card.html"])
    def test_tells_of_a_file_that_grows(self, version: Path, name: str) -> None:
        before = fingerprint(version)
        with (version / name).open("a") as file:
            file.write("more")
        assert fingerprint(version) != before

    def test_tells_of_a_file_that_another_has_replaced(self, version: Path) -> None:
        before = fingerprint(version)
        file = version / "model.joblib"
        copy = version / ".model.joblib"
        copy.write_bytes(file.read_bytes())
        os.utime(copy, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
        copy.rename(file)
        assert fingerprint(version) != before

    def test_tells_of_a_file_that_has_gone(self, version: Path) -> None:
        before = fingerprint(version)
        (version / "data" / "model.pkl").unlink()
        assert fingerprint(version) != before

    def test_leaves_temporary_files_out(self, version: Path) -> None:
        before = fingerprint(version)
        (version / ".manifest.json-1").touch()
        (version / ".git").mkdir()
        assert fingerprint(version) == before

    def test_follows_links_to_files(self, version: Path, tmp_path: Path) -> None:
        """A mounted ConfigMap and git-sync swap what their links lead to."""
        for name in ("old", "new"):
            (tmp_path / name).write_text("same")
        link = version / "model.joblib"
        link.unlink()
        link.symlink_to(tmp_path / "old")
        before = fingerprint(version)
        link.unlink()
        link.symlink_to(tmp_path / "new")
        assert fingerprint(version) != before

    def test_is_there_beside_links_that_lead_nowhere_or_round(self, version: Path) -> None:
        (version / "nowhere").symlink_to("gone")
        (version / "round").symlink_to(version)
        assert len(fingerprint(version) or ()) == 5

    def test_is_none_where_the_files_cannot_be_looked_at(self, version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert fingerprint(version / "absent") is None
        monkeypatch.setattr(os, "scandir", broken)
        assert fingerprint(version) is None
