"""The fuzzing targets for a moment, by hypothesis; ``make fuzz`` runs them for as long as one likes, guided by coverage."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import FOUND, seeds
from tests.fuzz.targets import TARGETS, Finding
from tests.protocol.mutations import damaged
from tests.scale import scaled

EXAMPLES = scaled(100, 20_000)


@pytest.mark.timeout(scaled(120, 1800))
@pytest.mark.parametrize("target", TARGETS)
def test_what_is_almost_right_is_read_or_refused(target: str) -> None:
    begin = seeds(target)
    for content in begin.values():
        TARGETS[target](content)

    @given(content=damaged(list(begin.values())) | st.binary(max_size=100))
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    def read_or_refused(content: bytes) -> None:
        TARGETS[target](content)

    read_or_refused()


@pytest.mark.parametrize("target", TARGETS)
def test_a_reader_that_fails_is_found(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each target hears of an error that is no refusal."""
    where = {
        "v2_json": "model.codec.v2.parse_object",
        "v2_binary": "model.codec.v2.parse_object",
        "v1_instances": "model.codec.v1.parse_object",
        "rows_of_objects": "model.codec.rows.parse",
        "grpc_message": "tests.fuzz.targets.decode_request",
        "compressed_body": "zlib.decompressobj",
        "http_connection": "model.rest.protocol.fault_in",
        "grpc_connection": "model.grpc.stream.MessageReader.feed",
        "manifest": "model.artifact.manifest.orjson.loads",
        "settings": "model.settings.settings.Settings.options",
    }

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("not foreseen")

    content = next(iter(seeds(target).values()))
    monkeypatch.setattr(where[target], fail)
    if target == "http_connection":
        # The parser's callbacks end a connection, whatever they raise; so here the pieces have to matter.
        pieces = iter([None, RuntimeError, None])
        monkeypatch.setattr(where[target], lambda *_: fail() if next(pieces, None) else None)
    with pytest.raises((RuntimeError, Finding)):
        TARGETS[target](content)


def test_every_finding_that_is_kept_belongs_to_a_target() -> None:
    assert {directory.name for directory in FOUND.glob("*")} <= TARGETS.keys()
