"""What to begin with: right inputs of every kind, and what a fuzzer has found before."""

import gzip
import json
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.fuzz.grpc_connection import conversations
from tests.protocol.encodings import LENGTH_HEADER, Ask, Sent, binary, document, message
from tests.reliability.parts import publish_flowers
from tests.reliability.test_smuggling import CASES

FOUND: Final = Path(__file__).parent / "corpus"
_MOST_BYTES: Final = 20_000

_ASKS: Final = (
    Ask("m", (Sent("x", "FP64", (2, 2), (1.0, -0.5, 1e300, 0.0)),), id="7", outputs=("predict",)),
    Ask("m", (Sent("a", "INT8", (2,), (-128, 127)), Sent("b", "UINT64", (2, 1), (0, 2**64 - 1)))),
    Ask("m", (Sent("s", "BYTES", (3,), ("", "ä🐟", "x")), Sent("t", "BOOL", (3,), (True, False, True)))),
    Ask("m", (Sent("h", "FP32", (1, 1, 2), (1.5, 2.5)),), parameters={"content_type": "pd", "n": 1, "f": 0.5}),
    Ask("m", (Sent("i", "INT64", (1,), (2**53 + 1,)),), version="3", parameters={"binary_data_output": True}),
)
_ROWS: Final = (
    [{"a": 1, "b": "x"}, {"a": None, "b": ""}],
    {"a": 1.5, "b": True},
    [[1, 2], [3, 4.5]],
    [["x", 1], ["y", None]],
    [1, 2, 3],
    [{"a": [1, 2]}],
)


def seeds(target: str) -> dict[str, bytes]:
    """Return inputs for a target, by a name for each."""
    found = {file.name: file.read_bytes() for file in sorted((FOUND / target).glob("*"))}
    made = {f"seed-{number}": content for number, content in enumerate(_made(target))}
    return {name: content for name, content in (found | made).items() if len(content) <= _MOST_BYTES}


def _made(target: str) -> list[bytes]:  # noqa: C901, PLR0911 -- one for each target
    match target:
        case "v2_json":
            return [json.dumps(document(ask, nest=nest)).encode() for ask in _ASKS for nest in (False, True)]
        case "v2_binary":
            return [_with_length(ask) for ask in _ASKS]
        case "v1_instances":
            return [json.dumps({"instances": rows}).encode() for rows in _ROWS]
        case "rows_of_objects":
            return [json.dumps(rows).encode() for rows in _ROWS]
        case "grpc_message":
            return [message(ask, raw=raw).SerializeToString() for ask in _ASKS for raw in (False, True)]
        case "compressed_body":
            text = b"a body, a body" * 20
            both = [b"\x10" + gzip.compress(text, mtime=0), b"\x11" + zlib.compress(text), b"\x01" + text]
            return [*both, both[0] + gzip.compress(text, mtime=0), b"\xfe" + gzip.compress(bytes(10**6), mtime=0)]
        case "http_connection":
            return [case.sent + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" for case in CASES.values()]
        case "grpc_connection":
            return conversations()
        case "manifest":
            with TemporaryDirectory() as root:
                return [(publish_flowers(Path(root)) / "manifest.json").read_bytes()]
        case "settings":
            flags = b"--http_port=1\n--host\n127.0.0.1\n--max-rows=5\n\nWORKERS=1\nPREDICT_PROBA=true\nLOG_LEVEL=debug"
            return [flags, b"--help", b"--model_root=/tmp\n--model_dir=/tmp", b"--host=0.0.0.0", b"--nothing\n\nHOST="]
    raise KeyError(target)


def _with_length(ask: Ask) -> bytes:
    body, headers = binary(ask)
    return int(headers[LENGTH_HEADER]).to_bytes(2) + body
