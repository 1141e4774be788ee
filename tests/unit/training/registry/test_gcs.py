from pathlib import Path

import pytest

from tests.unit.training.registry.fish import publish_fish
from tests.unit.training.registry.gcs import noting_conditions
from training.registry import CHAMPION, Registry, Version


def test_a_bucket_of_gcs_is_written_on_the_condition_of_generations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with noting_conditions(tmp_path) as (environment, conditions):
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        registry = Registry("gs://models/a", cache=tmp_path / "cache")
        one, two = (registry.publish("fish", publish_fish) for _ in range(2))
        assert registry.versions("fish") == [one, two] == [Version("fish", 1), Version("fish", 2)]
        # The claim where there was nothing, two files, and the manifest in place of that very claim.
        assert conditions == ["0", None, None, "1001", "0", None, None, "1005"]
        del conditions[:]
        registry.move("fish", CHAMPION, one)
        registry.move("fish", CHAMPION, two)
        # The aliases and the record of the move, which each is created; the second time the record is there already.
        assert conditions == ["0", "0", "1009", "0"]
        assert registry.aliases("fish") == {"champion": "2"}
