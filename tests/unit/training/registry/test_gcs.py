from pathlib import Path

import pytest

from tests.unit.training.registry.fish import publish_fish
from tests.unit.training.registry.gcs import serving_gcs
from training.registry import CHAMPION, Registry, Version


def test_a_bucket_of_gcs_is_written_on_the_condition_of_generations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_gcs(tmp_path) as (credentials, conditions):
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(credentials))
        registry = Registry("gs://models/a", cache=tmp_path / "cache")
        one, two = (registry.publish("fish", publish_fish) for _ in range(2))
        assert registry.versions("fish") == [one, two] == [Version("fish", 1), Version("fish", 2)]
        # The claim where there was nothing, two files, and the manifest in place of that very claim.
        assert conditions == ["0", None, None, "1001", "0", None, None, "1005"]
        registry.move("fish", CHAMPION, one)
        registry.move("fish", CHAMPION, two)
        registry.rollback("fish")
        assert registry.aliases("fish") == {"champion": "1"}
        assert len(registry.history("fish")) == 3
        assert registry.fetch(two).is_dir()
