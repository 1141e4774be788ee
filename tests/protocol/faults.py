"""
Faults of a request as data: what is wrong, how it travels, what is answered. Here those that both protocols can express.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from google.protobuf.message import Message

from tests.protocol.encodings import Ask, Sent, binary, document, infer_path, message

BAD = (400, "INVALID_ARGUMENT")
ABSENT = (404, "NOT_FOUND")
TOO_LARGE = (413, "RESOURCE_EXHAUSTED")


@dataclass(frozen=True)
class Fault:
    """
    What is wrong, how it travels, and what is answered.

    Parameters
    ----------
    name : str
    says : str
        Regular expression of the whole sentence.
    body : dict or bytes
        For REST; None where it can't express the fault.
    grpc : message or bytes
        For gRPC, likewise.
    path : str
    headers : dict
    status : tuple
        Of REST and gRPC.
    """

    name: str
    says: str
    body: Any = None
    grpc: Message | bytes | None = None
    path: str = infer_path("plane")
    headers: dict[str, str] = field(default_factory=dict)
    status: tuple[int, str] = BAD

    def __str__(self) -> str:
        return self.name


def x(*values: Any, shape: tuple[int, ...] = (1, 2), datatype: str = "FP64", name: str = "x") -> Sent:
    return Sent(name, datatype, shape, values)


POINT = x(1.0, 2.0)
FISH = {
    "length": Sent("length", "FP64", (2,), (41.0, 39.5)),
    "eggs": Sent("eggs", "INT64", (2,), (1, 0)),
    "tagged": Sent("tagged", "BOOL", (2,), (True, False)),
    "island": Sent("island", "BYTES", (2,), ("Dream", "Biscoe")),
}
COLUMNS = "length, eggs, tagged, island"


def fish(**changed: Sent | None) -> Ask:
    """Return a request for the model of mixed columns, with some of them replaced, left out or added."""
    return Ask("fish", tuple(sent for sent in {**FISH, **changed}.values() if sent is not None))


def column(name: str, datatype: str, values: tuple[Any, ...], shape: tuple[int, ...] = (2,)) -> Ask:
    """Return the same with one column of other values."""
    return fish(**{name: Sent(name, datatype, shape, values)})


def plane(*inputs: Sent, **options: Any) -> Ask:
    return Ask("plane", inputs or (POINT,), **options)


# Faults that every encoding can express, for they lie in what is said and not in how.
SHARED: list[tuple[str, str, Ask, tuple[int, str]]] = [
    (
        "unknown model",
        "Model 'unknown' is unknown; expected one of 'champion', 'dates', .*\\.",
        replace(plane(), model="unknown"),
        ABSENT,
    ),
    (
        "unknown version",
        r"Model 'plane' has no version '2'; expected one of '1'\.",
        plane(version="2"),
        ABSENT,
    ),
    (
        "version that is no number",
        r"Model 'plane' has no version 'latest'; expected one of '1'\.",
        plane(version="latest"),
        ABSENT,
    ),
    (
        "matrix too wide",
        r"Input 'x' has shape \[1, 3\] and is no column; expected \[n, 2\], or one tensor per column: left, right\.",
        plane(x(1.0, 2.0, 3.0, shape=(1, 3))),
        BAD,
    ),
    (
        "matrix too wide for a model without names",
        r"Input 'x' has shape \[1, 4\]; expected \[n, 3\]\.",
        Ask("k_neighbors", (x(1.0, 2.0, 3.0, 4.0, shape=(1, 4)),)),
        BAD,
    ),
    (
        "matrix of three dimensions",
        r"Input 'x' has shape \[1, 3, 1\]; expected \[n, 3\]\.",
        Ask("k_neighbors", (x(1.0, 2.0, 3.0, shape=(1, 3, 1)),)),
        BAD,
    ),
    (
        "several tensors for a model without names",
        r"The request has 2 inputs; expected a single tensor of shape \[n, 3\]\.",
        Ask("k_neighbors", (x(1.0, 2.0, 3.0, shape=(1, 3)), x(1.0, shape=(1,), name="y"))),
        BAD,
    ),
    (
        "text of two dimensions",
        r"Input 'x' has shape \[1, 2\]; expected \[n\]\.",
        Ask("text_pipeline", (x("a", "b", datatype="BYTES"),)),
        BAD,
    ),
    (
        "66 dimensions",
        "Input 'x' has 66 dimensions in its shape; expected 1 to 32.",
        plane(x(1.0, shape=(1,) * 66)),
        BAD,
    ),
    ("no dimensions", "Input 'x' has 0 dimensions in its shape; expected 1 to 32.", plane(x(1.0, shape=())), BAD),
    (
        "negative dimension",
        "Input 'x' has -1 as a dimension of its shape; expected positive integers.",
        plane(x(1.0, 2.0, shape=(-1, -2))),
        BAD,
    ),
    (
        "no rows",
        "Input 'x' has a dimension of 0 in its shape; send at least one row and one value in each.",
        plane(x(shape=(0, 2))),
        BAD,
    ),
    (
        "dimensions beyond all memory",
        r"Input 'x' (holds 2 values where its|comes with 16 bytes; FP64 of) shape \[9223372036854775807, 2\] needs \d+\.",
        plane(x(1.0, 2.0, shape=(2**63 - 1, 2))),
        BAD,
    ),
    (
        "dimensions beyond all memory in text",
        r"Input 'x' (holds 2 values where its shape \[9223372036854775807\] needs|comes with 10 bytes, too few for) \d+.*",
        Ask("text_pipeline", (x("a", "b", shape=(2**63 - 1,), datatype="BYTES"),)),
        BAD,
    ),
    (
        "fewer values than the shape says",
        r"Input 'x' (holds 2 values where its|comes with 16 bytes; FP64 of) shape \[2, 2\] needs (4|32)\.",
        plane(x(1.0, 2.0, shape=(2, 2))),
        BAD,
    ),
    (
        "more values than the shape says",
        r"Input 'x' (holds 3 values where its|comes with 24 bytes; FP64 of) shape \[1, 2\] needs (2|16)\.",
        plane(x(1.0, 2.0, 3.0)),
        BAD,
    ),
    ("column missing", f"Column 'eggs' is missing; expected {COLUMNS}.", fish(eggs=None), BAD),
    (
        "one column alone",
        "Column 'right' is missing; expected left, right.",
        plane(x(1.0, shape=(1,), name="left")),
        BAD,
    ),
    (
        "column surplus",
        f"Column 'wings' is unknown; expected {COLUMNS}.",
        fish(wings=Sent("wings", "INT64", (2,), (2, 2))),
        BAD,
    ),
    (
        "column twice",
        "Input 'left' comes twice; send it once.",
        plane(*(x(1.0, shape=(1,), name="left"),) * 2),
        BAD,
    ),
    (
        "columns of different lengths",
        "Column 'eggs' has 3 rows where 'length' has 2; expected as many in every column.",
        column("eggs", "INT64", (1, 2, 3), shape=(3,)),
        BAD,
    ),
    (
        "column of two values per row",
        r"Column 'eggs' has shape \[2, 2\]; expected \[n\] or \[n, 1\]\.",
        column("eggs", "INT64", (1, 2, 3, 4), shape=(2, 2)),
        BAD,
    ),
    (
        "number in BYTES",
        r"Column 'eggs' is sent as BYTES; expected a number \(INT64\)\.",
        column("eggs", "BYTES", ("1", "2")),
        BAD,
    ),
    (
        "number in BYTES for floats",
        r"Column 'length' is sent as BYTES; expected a number \(FP64\)\.",
        column("length", "BYTES", ("1.5", "2.5")),
        BAD,
    ),
    (
        "true and false in a number",
        r"Column 'eggs' is sent as BOOL; expected a number \(INT64\)\.",
        column("eggs", "BOOL", (True, False)),
        BAD,
    ),
    ("number in a BOOL", "Column 'tagged' is sent as INT64; expected BOOL.", column("tagged", "INT64", (1, 0)), BAD),
    (
        "string in a BOOL",
        "Column 'tagged' is sent as BYTES; expected BOOL.",
        column("tagged", "BYTES", ("a", "b")),
        BAD,
    ),
    ("number in a string", "Column 'island' is sent as INT64; expected BYTES.", column("island", "INT64", (1, 2)), BAD),
    (
        "strings in a matrix of numbers",
        r"Column '0' is sent as BYTES; expected a number \(FP64\)\.",
        Ask("k_neighbors", (x("1", "2", "3", shape=(1, 3), datatype="BYTES"),)),
        BAD,
    ),
    (
        "true and false in a matrix of numbers",
        r"Column '0' is sent as BOOL; expected a number \(FP64\)\.",
        Ask("k_neighbors", (Sent("x", "BOOL", (1, 3), (True, False, True)),)),
        BAD,
    ),
    (
        "missing float where none may be",
        r"Column 'length' has a missing value \(null or NaN\) in row 1; expected a finite number\.",
        column("length", "FP64", (41.0, None)),
        BAD,
    ),
    (
        "missing float in a matrix where none may be",
        r"Column 'right' has a missing value \(null or NaN\) in row 0; expected a finite number\.",
        plane(x(1.0, None)),
        BAD,
    ),
    (
        "missing value in a column of integers that allows none",
        r"Column 'eggs' has a missing value \(null or NaN\) in row 0; expected a finite number\.",
        column("eggs", "FP64", (None, 1.0)),
        BAD,
    ),
    (
        "category that the encoder refuses",
        "Column 'island' has 'Mars' in row 1, which this model's encoder refuses; expected one of Biscoe, Dream.",
        column("island", "BYTES", ("Dream", "Mars")),
        BAD,
    ),
    (
        "number that the estimator's floats can't hold",
        "Column 'depth' has 1e\\+300 in row 0; expected a value that fits FP32.",
        Ask("decision_tree", (x(40.0, 1e300, 4.0, 1.0, shape=(1, 4)),)),
        BAD,
    ),
    (
        "word for a date",
        "Column 'weighed' has 'yesterday' in row 0; expected an ISO-8601 date such as .*",
        Ask(
            "dates",
            tuple(
                x(day, shape=(1,), datatype="BYTES", name=name)
                for name, day in [("hatched", "2024-01-31"), ("weighed", "yesterday")]
            ),
        ),
        BAD,
    ),
    (
        "day that no month has",
        "Column 'hatched' has '2024-02-30' in row 0; expected an ISO-8601 date such as .*",
        Ask(
            "dates",
            tuple(
                x(day, shape=(1,), datatype="BYTES", name=name)
                for name, day in [("hatched", "2024-02-30"), ("weighed", "2024-01-31")]
            ),
        ),
        BAD,
    ),
    (
        "unknown output",
        "Output 'score' is unknown; expected one of predict.",
        plane(outputs=("predict", "score")),
        BAD,
    ),
    ("output twice", "Output 'predict' comes twice; send it once.", plane(outputs=("predict",) * 2), BAD),
    (
        "unknown content type",
        r"The content_type is 'csv'; expected 'pd' \(one tensor per column\) or 'np' \(a single tensor\)\.",
        plane(parameters={"content_type": "csv"}),
        BAD,
    ),
    (
        "matrix called a frame",
        "Column 'x' is unknown; expected left, right.",
        plane(parameters={"content_type": "pd"}),
        BAD,
    ),
    (
        "columns called a matrix",
        r"The request has 4 inputs; expected a single tensor of shape \[n, 4\]\.",
        replace(fish(), parameters={"content_type": "np"}),
        BAD,
    ),
    (
        "timeout that is text",
        "Parameter 'timeout' is 'soon'; expected a whole number of microseconds, 0 for none.",
        plane(parameters={"timeout": "soon"}),
        BAD,
    ),
    (
        "timeout before now",
        "Parameter 'timeout' is -1; expected a whole number of microseconds, 0 for none.",
        plane(parameters={"timeout": -1}),
        BAD,
    ),
    (
        "too many rows",
        "The request has 10001 rows; expected at most 10000, so send fewer at once.",
        plane(x(*[0.5] * 20_002, shape=(10_001, 2))),
        TOO_LARGE,
    ),
]


def shared() -> Iterator[Fault]:
    for name, says, ask, status in SHARED:
        path = infer_path(ask.model, ask.version)
        yield Fault(name, says, document(ask), message(ask), path, status=status)
        content, headers = binary(ask)
        yield Fault(f"{name}, in bytes", says, content, message(ask, raw=True), path, headers, status)
