"""A registry in a bucket: of moto's server of S3, and under `make test-system` of fake-gcs-server."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, PreconditionError

from model.artifact import LoadPolicy, load, verify
from model.errors import ArtifactError, UntrustedArtifact
from tests.buckets import gcs_environment, serving_gcs, serving_s3
from tests.unit.training.registry.fish import publish_fish
from tests.unit.training.registry.writers import REPOSITORY, promote_at_once, publish_at_once
from training.errors import RegistryError
from training.registry import CHALLENGER, CHAMPION, Registry, Version
from training.registry.bucket import BucketRoot
from training.registry.claim import Claim

one, two, three = (Version("fish", number) for number in (1, 2, 3))
prefixes = count()
NOWHERE: Final = "http://127.0.0.1:1"

KILLED: Final = """
import os, signal, sys
import obstore
from tests.unit.training.registry.fish import publish_fish
from training.registry import Registry

put = obstore.put
def put_claim_then_die(store, key, *args, **kwargs):
    if not key.endswith("manifest.json"):
        os.kill(os.getpid(), signal.SIGKILL)
    return put(store, key, *args, **kwargs)

obstore.put = put_claim_then_die
Registry(sys.argv[1]).publish("fish", publish_fish)
"""


@pytest.fixture(scope="module", params=["s3", pytest.param("gs", marks=pytest.mark.system)])
def scheme(request: pytest.FixtureRequest) -> str:
    scheme: str = request.param
    return scheme


@pytest.fixture(scope="module")
def environment(scheme: str) -> Iterator[Mapping[str, str]]:
    with {"s3": serving_s3, "gs": serving_gcs}[scheme]() as environment:
        yield environment


@pytest.fixture
def url(scheme: str, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"{scheme}://models/{next(prefixes)}"


@pytest.fixture
def registry(url: str, tmp_path: Path) -> Registry:
    registry = Registry(url, cache=tmp_path / "cache")
    for _ in range(2):
        registry.publish("fish", publish_fish)
    return registry


def root_of(registry: Registry) -> BucketRoot:
    assert isinstance(registry._root, BucketRoot)
    return registry._root


def put(registry: Registry, key: str, data: bytes) -> None:
    obstore.put(root_of(registry)._store, key, data)


def keys(registry: Registry) -> list[str]:
    return root_of(registry).keys("fish")


def dying_after(puts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process write so many objects and no more, as if it were killed then; nothing it does later counts."""
    left = iter(range(puts))
    real = obstore.put

    def put(*args: Any, **kwargs: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(obstore, "put", put)


class TestVersions:
    def test_are_published_and_listed(self, registry: Registry) -> None:
        assert registry.publish("fish", publish_fish) == three
        assert registry.names() == ["fish"]
        assert registry.versions("fish") == [one, two, three]
        assert registry.versions("bird") == []

    def test_a_version_is_laid_out_as_on_disk(self, registry: Registry) -> None:
        assert [key for key in keys(registry) if key.startswith("fish/2/")] == [
            "fish/2/manifest.json",
            "fish/2/model.joblib",
            "fish/2/run.json",
        ]
        assert registry.manifest(two).version == 2

    def test_fetched_is_one_that_loads(self, registry: Registry) -> None:
        directory = registry.fetch(two)
        assert verify(directory, require_manifest=True).verified
        assert load(directory, policy=LoadPolicy()).manifest == registry.manifest(two)

    def test_fetched_again_is_not_brought_again(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        directory = registry.fetch(two)
        monkeypatch.setattr(BucketRoot, "_download", lambda *_: pytest.fail("was asked again"))
        assert registry.fetch(two) == directory

    @pytest.mark.parametrize("damage", [b"", b"another"])
    def test_damaged_in_the_cache_is_brought_again(self, registry: Registry, damage: bytes) -> None:
        directory = registry.fetch(two)
        (directory / "model.joblib").write_bytes(damage)
        assert verify(registry.fetch(two), require_manifest=True).verified

    def test_another_manifest_in_the_cache_is_brought_again(self, registry: Registry) -> None:
        directory = registry.fetch(two)
        (directory / "manifest.json").write_bytes((registry.fetch(one) / "manifest.json").read_bytes())
        assert registry.fetch(two) == directory
        assert json.loads((directory / "manifest.json").read_bytes())["version"] == 2

    def test_two_that_fetch_the_same_at_once_both_have_it(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        real = BucketRoot._download
        fetched: list[Path] = []
        with monkeypatch.context() as patched:

            def in_the_middle(root: BucketRoot, key: str, path: Path) -> None:
                patched.undo()
                fetched.append(Registry(registry.root, cache=tmp_path / "cache").fetch(two))
                real(root, key, path)

            patched.setattr(BucketRoot, "_download", in_the_middle)
            fetched.append(registry.fetch(two))
        assert fetched[0] == fetched[1]
        assert [path.name for path in (tmp_path / "cache").iterdir()] == [fetched[0].name]

    def test_damaged_in_the_bucket_is_refused_and_not_kept(self, registry: Registry, tmp_path: Path) -> None:
        put(registry, "fish/2/model.joblib", b"another")
        with pytest.raises(
            UntrustedArtifact, match=f"^{registry.root}/fish/2/model.joblib has sha256 .* damaged or rep"
        ):
            registry.fetch(two)
        assert list((tmp_path / "cache").iterdir()) == []

    def test_a_file_that_is_missing_is_refused(self, registry: Registry) -> None:
        root_of(registry)._delete("fish/2/run.json")
        with pytest.raises(UntrustedArtifact, match=r"fish/2/run.json is missing"):
            registry.fetch(two)

    def test_a_signature_is_brought_along(self, registry: Registry) -> None:
        put(registry, "fish/2/model.sig", b"{}")
        assert (registry.fetch(two) / "model.sig").read_bytes() == b"{}"

    def test_one_that_is_not_there_is_refused(self, registry: Registry) -> None:
        with pytest.raises(
            RegistryError, match=f"{registry.root} has no fish/9; expected a version that was published"
        ):
            registry.fetch(Version("fish", 9))

    def test_a_cache_that_can_not_be_written_is_a_sentence(self, registry: Registry, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(RegistryError, match=r"file/.*can't be written: .*name another cache by XDG_CACHE_HOME"):
            Registry(registry.root, cache=tmp_path / "file").fetch(two)


class TestAliases:
    def test_are_moved_and_rolled_back(self, registry: Registry) -> None:
        registry.move("fish", CHAMPION, one, why="first")
        registry.move("fish", CHALLENGER, two)
        registry.move("fish", CHAMPION, two)
        registry.rollback("fish", why="wrong")
        assert registry.aliases("fish") == {"champion": "1", "challenger": "2"}
        assert [move.why for move in registry.history("fish")] == ["first", "", "", "wrong"]

    def test_two_promoters_never_lose_a_move(self, registry: Registry) -> None:
        promote_at_once(registry)

    def test_a_move_whose_answer_was_lost_is_made_once(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The client tries again what it got no answer to, and its own first attempt is then in the way."""
        real = obstore.put

        def put(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            if kwargs.get("mode"):
                raise (AlreadyExistsError if kwargs["mode"] == "create" else PreconditionError)("exists")
            return result

        monkeypatch.setattr(obstore, "put", put)
        for version in (one, two, one):
            assert registry.move("fish", CHAMPION, version, by="ada") is not None
            registry.move("fish", CHAMPION, version, by="grace")
        assert [move.after for move in registry.history("fish")] == ["1", "2", "1"]
        assert registry.publish("fish", publish_fish) == three
        assert registry.versions("fish") == [one, two, three]

    def test_that_change_all_the_time_are_a_sentence(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("training.registry.ledger.time.sleep", lambda _: None)
        monkeypatch.setattr(BucketRoot, "write", lambda *_: False)
        with pytest.raises(RegistryError, match=r"aliases.json was changed by others 50 times in a row; nothing was"):
            registry.move("fish", CHAMPION, one)


class TestPublish:
    def test_two_publishers_never_overwrite_a_version(self, registry: Registry) -> None:
        publish_at_once(registry)

    @pytest.mark.parametrize("puts", [0, 1, 3])
    def test_one_that_dies_leaves_no_version(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch, puts: int
    ) -> None:
        with monkeypatch.context() as dying:
            dying_after(puts, dying)
            with pytest.raises(KeyboardInterrupt):
                registry.publish("fish", publish_fish)
        assert registry.versions("fish") == [one, two]
        assert registry.publish("fish", publish_fish).number == (3 if puts == 0 else 4)

    def test_one_that_is_killed_leaves_no_version_and_no_model_that_a_server_would_take(
        self, registry: Registry, environment: Mapping[str, str], tmp_path: Path
    ) -> None:
        command = [sys.executable, "-c", KILLED, registry.root]
        killed = subprocess.run(command, cwd=REPOSITORY, env={**os.environ, **environment}, check=False)
        assert killed.returncode == -signal.SIGKILL
        assert registry.versions("fish") == [one, two]
        put(registry, "fish/3/model.joblib", b"half")
        for key in keys(registry):  # as a storage initializer would bring it
            path = tmp_path / "served" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            content = root_of(registry).read(key)
            assert content is not None
            path.write_bytes(content.data)
        with pytest.raises(ArtifactError, match=r"manifest.json has schema_version 0"):
            load(tmp_path / "served" / "fish" / "3", policy=LoadPolicy())
        with pytest.raises(RegistryError, match="has no fish/3"):
            registry.fetch(three)

    def test_what_it_leaves_is_swept_and_its_number_not_given_again(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as dying:
            dying_after(2, dying)
            with pytest.raises(KeyboardInterrupt):
                registry.publish("fish", publish_fish)
        root, now = root_of(registry), datetime.now(UTC)
        assert root.leftovers("fish", now - timedelta(hours=1)) == []
        assert root.leftovers("fish", now) == ["3"]
        root.sweep("fish", now)
        assert [key for key in keys(registry) if key.startswith("fish/3/")] == ["fish/3/manifest.json"]
        assert registry.publish("fish", publish_fish).number == 4
        root.sweep("fish", datetime.now(UTC))
        assert [key for key in keys(registry) if key.startswith("fish/3/")] == []

    def test_one_that_was_swept_while_it_uploads_says_so(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, root = obstore.put, root_of(registry)

        def put(store: Any, key: str, *args: Any, **kwargs: Any) -> Any:
            result = real(store, key, *args, **kwargs)
            if key.endswith("run.json"):
                root.sweep("fish", datetime.now(UTC))
            return result

        monkeypatch.setattr(obstore, "put", put)
        with pytest.raises(RegistryError, match="fish/3 was swept away while it was uploaded; nothing was published"):
            registry.publish("fish", publish_fish)
        monkeypatch.undo()
        assert registry.versions("fish") == [one, two]

    def test_of_another_model_is_refused(self, registry: Registry) -> None:
        with pytest.raises(RegistryError, match="bird/1 was published, and version 3 of 'fish' was expected"):
            registry.publish("fish", lambda root: publish_fish(root, name="bird"))

    def test_that_is_always_late_is_a_sentence(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("training.registry.bucket._ATTEMPTS", 2)
        monkeypatch.setattr(BucketRoot, "write", lambda *_: False)
        with pytest.raises(RegistryError, match="fish got 2 other versions while this one was being written"):
            registry.publish("fish", publish_fish)


class TestRemove:
    def test_leaves_nothing(self, registry: Registry) -> None:
        root_of(registry).remove("fish", 1)
        assert registry.versions("fish") == [two]
        assert not [key for key in keys(registry) if key.startswith("fish/1/")]
        root_of(registry).remove("fish", 1)

    def test_that_was_killed_has_made_it_no_version(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as dying:
            dying.setattr(BucketRoot, "_delete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                root_of(registry).remove("fish", 1)
        assert registry.versions("fish") == [two]
        root_of(registry).sweep("fish", datetime.now(UTC))
        assert not [key for key in keys(registry) if key.startswith("fish/1/")]


class TestCollection:
    def test_keeps_what_is_referred_to_and_its_numbers_are_not_given_again(self, registry: Registry) -> None:
        registry.move("fish", CHAMPION, one)
        registry.move("fish", CHAMPION, two)
        for _ in range(3):
            registry.publish("fish", publish_fish)
        registry.move("fish", CHAMPION, three)
        collection = registry.collection("fish", newest=1, before=datetime.now(UTC))
        assert collection.plan().removed == (1, 4)
        assert collection.collect().kept == {2: ("rollback",), 3: ("champion",), 5: ("newest",)}
        assert registry.versions("fish") == [two, three, Version("fish", 5)]
        assert not [key for key in keys(registry) if key.startswith(("fish/1/", "fish/4/"))]
        assert registry.rollback("fish").after == "2"
        assert registry.publish("fish", publish_fish).number == 6


class TestTrouble:
    def test_a_bucket_that_is_not_there(self, scheme: str, url: str) -> None:
        # Google's own answer is 404 as well; fake-gcs-server's is 500.
        said = {"s3": "404 Not Found", "gs": "after 4 retries"}[scheme]
        with pytest.raises(
            RegistryError, match=rf"{scheme}://nowhere/a can't be listed: .*{said}.*see the bucket's name"
        ):
            Registry(f"{scheme}://nowhere/a").names()

    def test_a_server_that_is_not_there(self, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for key, value in {"AWS_ENDPOINT_URL": NOWHERE, **gcs_environment(NOWHERE, tmp_path)}.items():
            monkeypatch.setenv(key, value)
        with pytest.raises(RegistryError, match=r"can't be read: .*HTTP error.*the credentials in the environment"):
            Registry(url).aliases("fish")

    def test_a_bucket_that_fails_in_the_middle_of_a_publish(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = obstore.put

        def put(store: Any, key: str, *args: Any, **kwargs: Any) -> Any:
            if key.endswith("model.joblib"):
                raise obstore.exceptions.GenericError("503 Slow Down\nand much more")
            return real(store, key, *args, **kwargs)

        monkeypatch.setattr(obstore, "put", put)
        with pytest.raises(RegistryError, match=r"fish/3/model.joblib can't be written: 503 Slow Down; see"):
            registry.publish("fish", publish_fish)
        assert registry.versions("fish") == [one, two]

    @pytest.mark.parametrize("root", ["http://models/a", "s3://", "s3:///models"])
    def test_what_is_no_root(self, root: str) -> None:
        with pytest.raises(RegistryError, match="is no model root; expected a directory, s3://bucket/prefix or gs://"):
            Registry(root)


def test_credentials_in_a_root_are_refused_and_not_repeated() -> None:
    with pytest.raises(RegistryError, match="has a name or password in its URL; expected both in the envi") as caught:
        Registry("s3://key:secret@models/a")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"schema_version": 1}', b'{"schema_version": 0}'])
def test_what_is_no_claim(data: bytes) -> None:
    assert Claim.parse(data) is None


def test_a_claim_is_read_as_it_was_written() -> None:
    claim = Claim()
    assert Claim.parse(claim.to_json()) == claim
