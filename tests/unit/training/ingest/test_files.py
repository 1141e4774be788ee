import bz2
import gzip
import hashlib
import http.server
import lzma
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.unit.training.ingest.conftest import Bucket
from training.config.source import Format, Source
from training.errors import ConfigurationError, DataError
from training.ingest import Snapshot, SnapshotStore, locations, read, take

ROWS = b"a,b\n1,2\n"


def taken(source: Any, base: Path, store: SnapshotStore) -> Snapshot:
    return take(Source.model_validate(source), base, store)


def content(snapshot: Snapshot) -> list[bytes]:
    return [part.path.read_bytes() for part in snapshot.parts]


def refusal(source: Any, base: Path, store: SnapshotStore) -> str:
    with pytest.raises((DataError, ConfigurationError)) as caught:
        taken(source, base, store)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_relative_path_starts_from_the_base(tmp_path: Path, store: SnapshotStore) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_bytes(ROWS)
    snapshot = taken("data/a.csv", tmp_path, store)
    assert (str(snapshot), snapshot.format, content(snapshot)) == ("data/a.csv", Format.CSV, [ROWS])
    assert snapshot.sha256 == hashlib.sha256(ROWS).hexdigest()


def test_an_absolute_path_is_itself(tmp_path: Path, store: SnapshotStore) -> None:
    (tmp_path / "a.csv").write_bytes(ROWS)
    assert content(taken(str(tmp_path / "a.csv"), Path("/nowhere"), store)) == [ROWS]


def test_a_package_ships_a_file(tmp_path: Path, store: SnapshotStore) -> None:
    expected = (resources.files("palmerpenguins") / "data" / "penguins.csv").read_bytes()
    assert content(taken("package://palmerpenguins/data/penguins.csv", tmp_path, store)) == [expected]


@pytest.mark.parametrize("absolute", [False, True])
def test_a_pattern_stands_for_files_in_the_order_of_their_names(
    tmp_path: Path, store: SnapshotStore, *, absolute: bool
) -> None:
    for name in ("2026/02.csv", "2026/01.csv", "2025/12.csv", "2025/note.txt"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(b"name\n" + name.encode())
    (tmp_path / "data" / "2027.csv").mkdir()
    pattern = "data/**/*.csv"
    snapshot = taken(str(tmp_path / pattern) if absolute else pattern, tmp_path, store)
    assert read(snapshot)["name"].tolist() == ["2025/12.csv", "2026/01.csv", "2026/02.csv"]
    assert [part.path.name for part in snapshot.parts] == ["data.csv", "data-2.csv", "data-3.csv"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path, store: SnapshotStore) -> None:
    (tmp_path / "a[1].csv").write_bytes(ROWS)
    assert content(taken("a[1].csv", tmp_path, store)) == [ROWS]


@pytest.mark.parametrize(
    ("suffix", "packed"),
    [("gz", gzip.compress(ROWS) + gzip.compress(b"3,4\n")), ("bz2", bz2.compress(ROWS)), ("xz", lzma.compress(ROWS))],
    ids=["gz", "bz2", "xz"],
)
def test_a_compressed_file_is_unpacked(tmp_path: Path, store: SnapshotStore, suffix: str, packed: bytes) -> None:
    (tmp_path / f"A.CSV.{suffix}").write_bytes(packed)
    snapshot = taken(f"A.CSV.{suffix}", tmp_path, store)
    assert (snapshot.format, content(snapshot)[0][: len(ROWS)]) == (Format.CSV, ROWS)
    (tmp_path / f"a.csv.{suffix}").write_bytes(packed[:-9])
    assert refusal(f"a.csv.{suffix}", tmp_path, store).startswith(f"source 'a.csv.{suffix}' cannot be read: ")
    (tmp_path / f"b.csv.{suffix}").write_bytes(ROWS)
    assert refusal(f"b.csv.{suffix}", tmp_path, store).startswith(f"source 'b.csv.{suffix}' cannot be read: ")


def test_the_format_can_be_told(tmp_path: Path, store: SnapshotStore) -> None:
    (tmp_path / "a.txt").write_bytes(b'{"a": 1}\n')
    assert refusal("a.txt", tmp_path, store) == (
        "source 'a.txt' ends in '.txt', which tells no format; expected one of .csv, .json, .jsonl, .ndjson, .parquet, "
        ".pq, or source.format"
    )
    snapshot = taken({"files": "a.txt", "format": "jsonl"}, tmp_path, store)
    assert (snapshot.format, snapshot.parts[0].path.name) == (Format.JSON_LINES, "data.jsonl")
    # The same bytes taken for something else are kept once, and read as what they were taken for.
    again = taken({"files": "a.txt", "format": "csv"}, tmp_path, store)
    assert (again.format, again.parts[0].path) == (Format.CSV, snapshot.parts[0].path)


def test_files_of_two_formats_are_refused(tmp_path: Path, store: SnapshotStore) -> None:
    for name in ("a.csv", "b.json"):
        (tmp_path / name).write_bytes(ROWS)
    assert refusal(["a.csv", "b.json"], tmp_path, store) == (
        "source names 'a.csv' and 'b.json', which are of two formats; expected one"
    )


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("none.csv", "source 'none.csv' cannot be read: No such file or directory"),
        ("none/*.csv", "source 'none/*.csv' stands for no file; expected at least one"),
        ("dir.csv", "source 'dir.csv' cannot be read: Is a directory"),
        (
            "package://palmerpenguins/none.csv",
            "source 'package://palmerpenguins/none.csv' cannot be read: No such file or directory",
        ),
        (
            "package://no_such_package/a.csv",
            "source 'package://no_such_package/a.csv' names package 'no_such_package', which is not an installed one",
        ),
        ("package://os/a.csv", "source 'package://os/a.csv' names package 'os', which is not an installed one"),
        ("package:///a.csv", "source 'package:///a.csv' names package '', which is not an installed one"),
        (
            "ftp://example.org/a.csv",
            "source is 'ftp://example.org/a.csv'; expected a path, package://PACKAGE/PATH, s3://, gs:// or https://",
        ),
    ],
)
def test_a_source_that_is_not_there_is_named(tmp_path: Path, store: SnapshotStore, source: str, sentence: str) -> None:
    (tmp_path / "dir.csv").mkdir()
    assert refusal(source, tmp_path, store) == sentence


def test_objects_of_a_bucket_are_read(tmp_path: Path, store: SnapshotStore, bucket: Bucket) -> None:
    large = b"a,b\n" + b"1,2\n" * 1_000_000
    url = bucket.put("a b/c+d.csv", large)
    snapshot = taken(url, tmp_path, store)
    assert (snapshot.source, snapshot.sha256) == (url, hashlib.sha256(large).hexdigest())


def test_a_pattern_of_keys_stands_for_objects(tmp_path: Path, store: SnapshotStore, bucket: Bucket) -> None:
    for key in ("d/2.csv.gz", "d/1.csv.gz", "d/e/3.csv.gz", "dd/4.csv.gz"):
        bucket.put(key, gzip.compress(b"key\n" + key.encode()))
    assert read(taken(f"{bucket.url}/d/*.csv.gz", tmp_path, store))["key"].tolist() == ["d/1.csv.gz", "d/2.csv.gz"]
    assert len(read(taken(f"{bucket.url}/d/**", tmp_path, store))) == 3
    assert len(read(taken(f"{bucket.url}/*/[0-9].csv.gz", tmp_path, store))) == 3
    sentence = refusal(f"{bucket.url}/x/*", tmp_path, store)
    assert sentence == f"source '{bucket.url}/x/*' stands for no file; expected at least one"


def test_an_object_that_is_not_there_is_named(tmp_path: Path, store: SnapshotStore, bucket: Bucket) -> None:
    sentence = refusal(f"{bucket.url}/none.csv", tmp_path, store)
    assert sentence == f"source '{bucket.url}/none.csv' cannot be read: there is no such file"


@pytest.mark.parametrize("bucket", ["s3"], indirect=True)
def test_an_object_that_cannot_be_read_is_named_and_no_secret_is(
    tmp_path: Path, store: SnapshotStore, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    sentence = refusal(bucket.put("a.csv", ROWS), tmp_path, store)
    assert sentence.startswith("source 's3://data/a.csv' cannot be read: Generic S3 error")
    assert "secret" not in sentence


class _Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/a.csv?token=secret")
        else:
            self.send_response({"/a.csv?token=secret": 200, "/broken.csv": 200, "/slow.csv": 200}.get(self.path, 403))
            self.send_header("Content-Length", str(len(ROWS) + (100 if "broken" in self.path else 0)))
        self.end_headers()
        for byte in ROWS if self.path == "/slow.csv" else ():
            self.wfile.write(bytes([byte]))
            time.sleep(0.1)
        self.wfile.write(b"" if self.path == "/slow.csv" else ROWS)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("path", ["a.csv?token=secret", "moved.csv"])
def test_a_page_is_read_and_its_query_kept_out_of_the_record(
    tmp_path: Path, store: SnapshotStore, site: str, path: str
) -> None:
    snapshot = taken(f"{site}/{path}", tmp_path, store)
    assert content(snapshot) == [ROWS]
    assert snapshot.parts[0].name == f"{site}/{path.partition('?')[0]}"
    assert "secret" not in (snapshot.parts[0].path.parent / "snapshot.json").read_text()


def test_a_page_that_is_refused_is_said_without_its_query(tmp_path: Path, store: SnapshotStore, site: str) -> None:
    sentence = refusal(f"{site}/b.csv?token=secret", tmp_path, store)
    assert sentence.startswith(f"source '{site}/b.csv' cannot be read: ")
    assert "403" in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize(("seconds", "whole"), [(0.5, True), (0.03, False)])
def test_a_page_may_take_long_but_not_be_silent(
    tmp_path: Path, store: SnapshotStore, site: str, monkeypatch: pytest.MonkeyPatch, seconds: float, *, whole: bool
) -> None:
    monkeypatch.setitem(locations._PATIENCE, "read_timeout", timedelta(seconds=seconds))
    monkeypatch.setitem(locations._RETRIES, "max_retries", 0)
    if whole:  # in 0.8 seconds
        assert content(taken(f"{site}/slow.csv", tmp_path, store)) == [ROWS]
    else:
        assert refusal(f"{site}/slow.csv", tmp_path, store).startswith(f"source '{site}/slow.csv' cannot be read: ")


def test_a_page_that_ends_too_soon_leaves_nothing(
    tmp_path: Path, store: SnapshotStore, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(locations._RETRIES, "max_retries", 0)
    assert refusal(f"{site}/broken.csv", tmp_path, store).startswith(f"source '{site}/broken.csv' cannot be read: ")
    assert [path.name for path in (tmp_path / "work" / "snapshots").iterdir()] == [".lock"]
