"""Strategies that turn what is right into what is almost right."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from hypothesis import strategies as st

from tests.protocol.encodings import DTYPES, Ask, Sent

Place = tuple[Any, Any]
"""A container within a document, and the key or position of one of its items."""

TELLING: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    10**6,
    2**31,
    2**63,
    2**64,
    10**400,
    0.5,
    1.7,
    -0.0,
    1e39,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "NaN",
    "null",
    "1",
    "\0",
    "ä🐟",
    "2024-02-30",
    "BOOL",
    "BYTES",
    "FP16",
    "FP64",
    "INT8",
    "UINT64",
    "predict",
    "pd",
    [],
    {},
    [[]],
    [None],
    [1, 2],
    [2, 2],
    [-1, -2],
    [1] * 66,
    {"binary_data_size": 8},
    {"name": "x"},
)
"""Values that have led some server astray."""


def json_values() -> st.SearchStrategy[Any]:
    """Draw anything JSON can say, and the tokens it can't."""
    plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(TELLING)
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
        max_leaves=8,
    )


def _places(document: Any) -> Iterator[Place]:
    keys = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for key in keys:
        yield document, key
        yield from _places(document[key])


@st.composite
def mutated(draw: st.DrawFn, documents: list[Any]) -> bytes:
    """Draw one of several documents with up to three changes, as JSON."""
    document = deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "replace", "remove", "repeat", "wrap", "rename"])):
            case "replace":
                container[key] = deepcopy(draw(json_values()))
            case "remove":
                del container[key]
            case "repeat" if isinstance(container, list):
                container.insert(key, deepcopy(container[key]))
            case "rename" if isinstance(container, dict):
                container[draw(st.text(max_size=8))] = container.pop(key)
            case _:
                container[key] = [container[key]]
    return json.dumps(document).encode(errors="surrogatepass")


@st.composite
def damaged(draw: st.DrawFn, contents: list[bytes]) -> bytes:
    """Draw one of several contents with a few bytes changed, taken out or put in."""
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 8)))
        content[start:end] = draw(st.binary(max_size=8))
    return bytes(content)


_VALUES: Final[dict[str, st.SearchStrategy[Any]]] = {
    "BOOL": st.booleans(),
    "BYTES": st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(["Dream", "Biscoe"]),
    "FP16": st.floats(width=16, allow_infinity=False, allow_nan=False),
    "FP32": st.floats(width=32, allow_infinity=False, allow_nan=False) | st.none(),
    "FP64": st.floats(allow_infinity=False, allow_nan=False) | st.none(),
    **{
        name: st.integers(-(2 ** (bits - 1)) if name.startswith("I") else 0, 2 ** (bits - name.startswith("I")) - 1)
        for name in DTYPES
        if "INT" in name
        for bits in [int(name.rpartition("T")[2])]
    },
}


@st.composite
def tensors(draw: st.DrawFn, names: list[str]) -> Sent:
    """Draw an input that every encoding has a form for, if not always with the shape and values of a right one."""
    datatype = draw(st.sampled_from([name for name in _VALUES if name != "FP16"]))
    shape = draw(
        st.lists(st.sampled_from([-1, 0, 1, 1, 2, 2, 3, 2**40]), max_size=3) | st.sampled_from([[2], [1, 2], [2, 1]])
    )
    count = 1
    for size in shape:
        count *= size
    size = count if 0 < count <= 9 and draw(st.booleans()) else draw(st.integers(1, 9))
    values = draw(st.lists(_VALUES[datatype], min_size=size, max_size=size))
    return Sent(draw(st.sampled_from(names)), datatype, tuple(shape), tuple(values))


def asks(model: str, names: list[str]) -> st.SearchStrategy[Ask]:
    """Draw requests for a model that are right at times."""
    return st.builds(
        Ask,
        model=st.sampled_from([model, model, model, "unknown"]),
        inputs=st.lists(tensors(names), min_size=1, max_size=4).map(tuple),
        version=st.sampled_from(["", "", "1", "2"]),
        outputs=st.lists(st.sampled_from(["predict", "predict_proba", "other"]), max_size=2).map(tuple),
        id=st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
        parameters=st.dictionaries(
            st.sampled_from(["content_type", "timeout", "note"]),
            st.sampled_from(["pd", "np", "", 0, -1, 10**9, 1.5, True]),
            max_size=2,
        ),
    )
