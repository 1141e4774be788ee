import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import RegistryError
from training.registry import Move
from training.registry.aliases import Aliases
from training.registry.move import way_back

NUMBERS = st.integers(1, 9).map(str)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "aliases.json can't be read as JSON: "),
        (b"\xff", "aliases.json can't be read as JSON: "),
        (b"[" * 100_000, "aliases.json can't be read as JSON: "),
        (b"[]", 'aliases.json holds no object; expected {"champion": <version>}.'),
        (b'{"champion": "newest"}', "aliases.json has 'newest' for 'champion'; expected a version number."),
        (b'{"challenger": 1.5}', "aliases.json has 1.5 for 'challenger'; expected a version number."),
        (b'{"last_move": 3}', "aliases.json has a damaged last_move or removed; take both out of it."),
        (b'{"removed": ["x"]}', "aliases.json has a damaged last_move or removed; take both out of it."),
        (b'{"removed": 3}', "aliases.json has a damaged last_move or removed; take both out of it."),
    ],
)
def test_a_damaged_file_is_a_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(RegistryError) as refused:
        Aliases.parse(content, "aliases.json")
    assert str(refused.value).startswith(sentence)


@given(
    named=st.dictionaries(st.sampled_from(["champion", "challenger", "canary"]), NUMBERS),
    removed=st.lists(st.integers(1, 9)).map(tuple),
    why=st.text(),
)
def test_what_is_written_is_read(named: dict[str, str], removed: tuple[int, ...], why: str) -> None:
    move = Move.of(3, "champion", "1", "2", why=why, by="ada")
    for aliases in (Aliases(named, None, removed), Aliases(named, move, removed)):
        assert Aliases.parse(aliases.to_json(), "aliases.json") == aliases


@given(st.lists(st.one_of(NUMBERS, st.none()), max_size=30))
def test_the_way_back_is_a_stack(steps: list[str | None]) -> None:
    """Each step promotes a version, or goes back where it is None."""
    champions: list[str | None] = [None]
    moves: list[Move] = []
    for number, step in enumerate(steps, start=1):
        back = way_back(moves, "champion")
        assert back == (champions[-2] if len(champions) > 1 else None)
        now = champions[-1]
        if step is None and back is not None:
            champions.pop()
            moves.append(Move.of(number, "champion", now, back, kind="rollback", why="", by="ada"))
        elif step is not None and step != now:
            champions.append(step)
            moves.append(Move.of(number, "champion", now, step, why="", by="ada"))
        moves.append(Move.of(number, "challenger", None, "9", why="", by="ada"))
