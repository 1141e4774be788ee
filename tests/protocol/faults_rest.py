"""Faults of bodies that only REST can carry: JSON, the bytes behind it, V1 and rows."""

import json
from collections.abc import Iterator
from typing import Any

from tests.protocol.encodings import LENGTH_HEADER, Ask, Sent, binary, document, infer_path, message
from tests.protocol.faults import ABSENT, BAD, COLUMNS, POINT, Fault, fish, plane, x


def in_json(name: str, says: str, *inputs: Any, **more: Any) -> Fault:
    return Fault(name, says, {"inputs": list(inputs), **more})


def item(**changed: Any) -> dict[str, Any]:
    """Return the JSON of a good input, with fields replaced, or left out where they are None."""
    good = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1.0, 2.0]}
    return {key: value for key, value in {**good, **changed}.items() if value is not ...}


# Column, its datatype, its data, its shape, and the whole sentence as a regular expression.
VALUES: list[tuple[str, str, list[Any], list[int], str]] = [
    ("length", "FP64", [1, "long"], [2], r"Input 'length' holds 'long' at position 1; FP64 takes numbers\."),
    ("length", "FP64", ["1.5", 1], [2], r"Input 'length' holds '1\.5' at position 0; FP64 takes numbers\."),
    ("length", "FP64", [True, 1], [2], r"Input 'length' holds true at position 0; FP64 takes numbers\."),
    ("length", "FP64", [1, [2]], [2], r"Input 'length' holds a list at position 1; FP64 takes numbers\."),
    ("length", "FP64", [1, {}], [2], r"Input 'length' holds an object at position 1; FP64 takes numbers\."),
    ("length", "FP32", [1e39, 1], [2], r"Input 'length' holds 1e\+39, which is out of range for FP32 .*"),
    ("length", "FP16", [65520, 1], [2], r"Input 'length' holds 65520, which is out of range for FP16 .*"),
    ("eggs", "INT32", [1.7, 1], [2], r"Input 'eggs' holds 1\.7, which is not a whole number; INT32 takes integers\."),
    ("eggs", "INT8", [1, 300], [2], r"Input 'eggs' holds 300, which is out of range for INT8 \(-128 to 127\)\."),
    ("eggs", "UINT64", [-1, 1], [2], r"Input 'eggs' holds -1, which is out of range for UINT64 .*"),
    ("eggs", "INT64", [2**63, 1], [2], r"Input 'eggs' holds 9223372036854775808, which is out of range for INT64 .*"),
    ("eggs", "INT64", [1e300, 1], [2], r"Input 'eggs' holds 1e\+300, which is too large to be exact; INT64 takes .*"),
    ("eggs", "UINT64", [2**64, 1], [2], r"Input 'eggs' holds 1\.8\d+e\+19, which is too large to be exact; UINT64 takes .*"),
    ("eggs", "INT64", ["1", 1], [2], r"Input 'eggs' holds '1' at position 0; INT64 takes integers\."),
    ("eggs", "INT64", [True, 1], [2], r"Input 'eggs' holds true at position 0; INT64 takes integers\."),
    ("eggs", "INT64", [None, 1], [2], r"Column 'eggs' has a missing value \(null or NaN\) in row 0; expected .*"),
    ("length", "FP64", [None, None], [2], r"Column 'length' has a missing value \(null or NaN\) in row 0; expected .*"),
    ("tagged", "BOOL", ["false", True], [2], r"Input 'tagged' holds 'false' at position 0; BOOL takes true or false\."),
    ("tagged", "BOOL", [True, 0], [2], r"Input 'tagged' holds 0 at position 1; BOOL takes true or false\."),
    ("tagged", "BOOL", [True, None], [2], r"Column 'tagged' has a missing value \(null\) in row 1; expected a value\."),
    ("island", "BYTES", [7, "Dream"], [2], r"Input 'island' holds 7 at position 0; BYTES takes strings\."),
    ("island", "BYTES", [None, "Dream"], [2], r"Column 'island' has a missing value \(null\) in row 0; expected a value\."),
    ("length", "FP64", [[1.0], [2.0, 3.0]], [2, 1], r"Input 'length' has data nested otherwise than its shape \[2, 1\] says; .*"),
    ("length", "FP64", [[1.0], 2.0], [2, 1], r"Input 'length' has data nested otherwise than its shape \[2, 1\] says; .*"),
    ("length", "FP64", [[], []], [2, 1], r"Input 'length' has data nested otherwise than its shape \[2, 1\] says; .*"),
    ("length", "FP64", [[1.0], [2.0]], [2], r"Input 'length' holds a list at position 0; FP64 takes numbers\."),
]  # fmt: skip


def values() -> Iterator[Fault]:
    """Put each into an otherwise good request for the model of mixed columns."""
    for name, datatype, data, shape, says in VALUES:
        body = document(fish())
        for entry in body["inputs"]:
            if entry["name"] == name:
                entry |= {"data": data, "datatype": datatype, "shape": shape}
        yield Fault(f"{datatype} {data} of shape {shape} for {name}", says, body, path=infer_path("fish"))


BODIES = [
    Fault("empty body", "The body is empty or not UTF-8; expected JSON.", b""),
    Fault("no JSON", r"The body is not valid JSON at line 1, column 1\.", b"hello"),
    Fault("JSON cut off", r"The body is not valid JSON at line \d+, column \d+\.", b'{"inputs": [{'),
    Fault("two documents", r"The body is not valid JSON at line 1, column 3\.", b"{}{}"),
    Fault("not UTF-8", "The body is empty or not UTF-8; expected JSON.", b'{"inputs": "\xff"}'),
    Fault("list", "The body is a list; expected a JSON object.", b"[]"),
    Fault("null", "The body is null; expected a JSON object.", b"null"),
    Fault("NaN", "The body holds NaN or Infinity at .*, which JSON does not know; .*", b'{"inputs": [NaN]}'),
    Fault("Infinity", "The body holds NaN or Infinity at .*, which JSON does not know; .*", b'{"inputs": [Infinity]}'),
    Fault("1e999", "The body holds a number at .* that is too large for any datatype.", b'{"inputs": [1e999]}'),
    Fault("-1e999", "The body holds a number at .* that is too large for any datatype.", b'{"inputs": [-1e999]}'),
    Fault("nested too deeply", "The body is nested too deeply at .*", b'{"inputs": ' + b"[" * 100_000),
    Fault("lone surrogate", r"The body is not valid JSON at .*", b'{"id": "\\ud800", "inputs": []}'),
    Fault("no inputs", "The body has no inputs; expected a list of tensors.", b"{}"),
    in_json("empty inputs", "The body has an empty list as its inputs; expected a list of tensors."),
    Fault("inputs an object", "The body has an object as its inputs; expected a list of tensors.", {"inputs": {}}),
    Fault("inputs null", "The body has null as its inputs; expected a list of tensors.", {"inputs": None}),
    in_json("input a number", r"inputs\[0\] is 1; expected an object with a name\.", 1),
    in_json("input null", r"inputs\[1\] is null; expected an object with a name\.", item(), None),
    in_json("no name", r"inputs\[0\] has no name; expected a string that is not empty\.", item(name=...)),
    in_json("empty name", r"inputs\[0\] has '' as its name; expected a string that is not empty\.", item(name="")),
    in_json("number for a name", r"inputs\[0\] has 7 as its name; expected a string that is not empty\.", item(name=7)),
    in_json("no datatype", "Input 'x' has no datatype; expected one of BOOL, .*, BYTES.", item(datatype=...)),
    in_json("null for a datatype", "Input 'x' has null as its datatype; expected one of .*", item(datatype=None)),
    in_json("list for a datatype", "Input 'x' has a list as its datatype; expected one of .*", item(datatype=[])),
    in_json("no shape", "Input 'x' has no shape; expected a list of positive integers.", item(shape=...)),
    in_json("number for a shape", "Input 'x' has 2 as its shape; expected a list of .*", item(shape=2)),
    in_json("fraction in a shape", "Input 'x' has 1.0 as a dimension of its shape; .*", item(shape=[1.0, 2])),
    in_json("text in a shape", "Input 'x' has '2' as a dimension of its shape; .*", item(shape=[1, "2"])),
    in_json("true in a shape", "Input 'x' has true as a dimension of its shape; .*", item(shape=[True, 2])),
    in_json("null in a shape", "Input 'x' has null as a dimension of its shape; .*", item(shape=[None, 2])),
    in_json("no data", "Input 'x' has no data; expected a list.", item(data=...)),
    in_json("null for data", "Input 'x' has null as its data; expected a list.", item(data=None)),
    in_json("number for data", "Input 'x' has 1 as its data; expected a list.", item(data=1)),
    in_json("empty data", r"Input 'x' holds 0 values where its shape \[1, 2\] needs 2\.", item(data=[])),
    in_json("id a number", "The body has 7 as its id; expected a string.", item(), id=7),
    in_json("id null", "The body has null as its id; expected a string.", item(), id=None),
    in_json("outputs null", "The body has null as its outputs; expected a list of .*", item(), outputs=None),
    in_json("output a text", r"outputs\[0\] is 'predict'; expected an object with a name\.", item(), outputs=["predict"]),
    in_json("output without name", r"outputs\[0\] has no name; .*", item(), outputs=[{}]),
    in_json("parameters a list", "The body has a list as its parameters; expected an object.", item(), parameters=[]),
    in_json("parameter null", "The body has null as its parameter 'a'; .*", item(), parameters={"a": None}),
    in_json("parameter of an input a list", "Input 'x' has a list as its parameter 'a'; .*", item(parameters={"a": []})),
    in_json("binary wanted as text", "The body has 'yes' as its parameter binary_data_output; .*", item(), parameters={"binary_data_output": "yes"}),
    in_json("binary output wanted as text", "Output 'predict' has 1 as its parameter binary_data; .*", item(), outputs=[{"name": "predict", "parameters": {"binary_data": 1}}]),
]  # fmt: skip


def headed(name: str, says: str, header: str, path: str = infer_path("plane")) -> Fault:
    return Fault(name, says, binary(plane())[0], path=path, headers={LENGTH_HEADER: header})


def sized(name: str, says: str, size: Any, raw: bytes, sent: Sent = POINT, **changed: Any) -> Fault:
    """Return a fault in a binary tensor; where its size is told rightly, gRPC's raw contents have it as well."""
    model = "text_pipeline" if sent.datatype == "BYTES" else "plane"
    entry: dict[str, Any] = document(Ask(model, (sent,)))["inputs"][0]
    del entry["data"]
    entry |= {"parameters": {"binary_data_size": size}, **changed}
    head = json.dumps({"inputs": [entry]}).encode()
    grpc = None
    if size == len(raw) and type(size) is int and not changed:
        grpc = message(Ask(model, (sent,)), raw=True)
        grpc.raw_input_contents[0] = raw
    return Fault(name, says, head + raw, grpc, infer_path(model), {LENGTH_HEADER: str(len(head))})


WORDS = x("a", "b", shape=(2,), datatype="BYTES")
HEADER = "Inference-Header-Content-Length is {}; expected the length of the JSON part, at most the \\d+ bytes of .*"
BINARY = [
    headed("length header a word", HEADER.format("'ten'"), "ten"),
    headed("length header empty", HEADER.format("''"), ""),
    headed("length header negative", HEADER.format("'-1'"), "-1"),
    headed("length header with a sign", HEADER.format(r"'\+10'"), "+10"),
    headed("length header a fraction", HEADER.format("'1.5'"), "1.5"),
    headed("length header too long", HEADER.format("'100000'"), "100000"),
    headed("length header of many digits", HEADER.format("'9{40}'"), "9" * 5000),
    headed("length header within the JSON", r"The body is not valid JSON at .*", "5"),
    headed("length header zero", "The body is empty or not UTF-8; expected JSON.", "0"),
    sized("size short", r"Input 'x' comes with 8 bytes; FP64 of shape \[1, 2\] needs 16\.", 8, bytes(8)),
    sized("size zero", r"Input 'x' comes with 0 bytes; FP64 of shape \[1, 2\] needs 16\.", 0, b""),
    sized("size less than behind the JSON", "The body has 8 bytes behind the JSON that no input's .* accounts for.", 16, bytes(24)),
    sized("size more than behind the JSON", "Input 'x' has 16 as its binary_data_size, but 8 bytes are left behind the JSON; .*", 16, bytes(8)),
    sized("size negative", "Input 'x' has -16 as its binary_data_size; expected an integer that is not negative.", -16, bytes(16)),
    sized("size a fraction", "Input 'x' has 16.0 as its binary_data_size; expected an integer .*", 16.0, bytes(16)),
    sized("size a text", "Input 'x' has '16' as its binary_data_size; expected an integer .*", "16", bytes(16)),
    sized("size true", "Input 'x' has true as its binary_data_size; expected an integer .*", json.loads("true"), bytes(1)),
    sized("data beside a size", "Input 'x' has both data and binary_data_size; send one of them.", 16, bytes(16), data=[1, 2]),
    sized("BYTES length beyond the end", "Input 'x' comes with 10 bytes, too few for 2 strings of the lengths given in them.", 10, b"\1\0\0\0a\xff\xff\0\0b", WORDS),
    sized("BYTES length before the end", "Input 'x' comes with 10 bytes, but its 2 strings end after 9.", 10, b"\1\0\0\0a\0\0\0\0b", WORDS),
    sized("BYTES without a second length", "Input 'x' comes with 9 bytes, too few for 2 strings of the lengths given in them.", 9, b"\5\0\0\0abcde", WORDS),
    sized("BYTES not UTF-8", "Input 'x' holds bytes that are not UTF-8; BYTES takes text in UTF-8.", 10, b"\1\0\0\0a\1\0\0\0\xff", WORDS),
    sized("BOOL of 7", "Input 'x' holds the byte 7; BOOL takes 0 and 1.", 2, b"\1\7", Sent("x", "BOOL", (1, 2), (True, True))),
    sized("infinity", "Column 'left' has infinity in row 0; expected a finite number.", 16, b"\0\0\0\0\0\0\xf0\x7f" + bytes(8)),
    Fault("size without the header", "Input 'x' has a binary_data_size, but the request has no header Inference-Header-Content-Length.", {"inputs": [item(parameters={"binary_data_size": 16}, data=...)]}),
]  # fmt: skip


def posted(path: str, name: str, says: str, body: Any, status: tuple[int, str] = BAD) -> Fault:
    return Fault(f"{path} {name}", says, body, path=path, status=status)


V1 = "/v1/models/fish:predict"
ROWS = "/predict/fish"
ROW = {"length": 41.0, "eggs": 1, "tagged": True, "island": "Dream"}
OTHERS = [
    posted(V1, "no JSON", r"The body is not valid JSON at .*", b"x"),
    posted(V1, "no instances", "The body has no instances; expected one list of rows.", {}),
    posted(V1, "empty instances", "The body has an empty list as its instances; expected a list of at least one row.", {"instances": []}),
    posted(V1, "both names", "The body has both instances and inputs; expected one list of rows.", {"instances": [1], "inputs": [1]}),
    posted(V1, "instances a text", "The body has 'x' as its instances; .*", {"instances": "x"}),
    posted(V1, "ragged rows", r"Input 'input-0' has data nested otherwise than its shape \[2, 2\] says; .*", {"instances": [[1, 2], [3]]}),
    posted(V1, "row of another form", r"instances\[1\] is a list; expected an object, as the first row is\.", {"instances": [ROW, [1]]}),
    posted(V1, "key missing", r"instances\[1\] has no 'eggs', which other rows have; .*", {"instances": [ROW, {k: v for k, v in ROW.items() if k != "eggs"}]}),
    posted(V1, "column missing", f"Column 'eggs' is missing; expected {COLUMNS}.", {"instances": [{k: v for k, v in ROW.items() if k != "eggs"}]}),
    posted(V1, "text in a number", r"Column 'eggs' is sent as BYTES; expected a number \(INT64\)\.", {"instances": [ROW | {"eggs": "one"}]}),
    posted(V1, "missing value", r"Column 'length' has a missing value \(null or NaN\) in row 0; .*", {"instances": [ROW | {"length": None}]}),
    posted(V1, "rows too short", r"The instances, of shape \[1, 2\], mix numbers, strings or booleans; send rows of 4 values\.", {"instances": [[1, "a"]]}),
    posted(V1, "66 dimensions", r"Input 'input-0' has 33 dimensions in its shape; expected 1 to 32\.", ('{"instances": ' + "[" * 66 + "1" + "]" * 66 + "}").encode()),
    posted("/v1/models/unknown:predict", "model", "Model 'unknown' is unknown; .*", {"instances": [[1]]}, ABSENT),
    posted(ROWS, "no JSON", r"The body is not valid JSON at .*", b"x"),
    posted(ROWS, "text", "The body is 'x'; expected an object of column names and values, or a list of them.", b'"x"'),
    posted(ROWS, "no rows", "The body is an empty list; send at least one row.", []),
    posted(ROWS, "empty row", r"rows\[0\] is an object without keys; send a value for each column\.", {}),
    posted(ROWS, "row a number", r"rows\[1\] is 7; expected an object of column names and values\.", [ROW, 7]),
    posted(ROWS, "column surplus", f"Column 'wings' is unknown; expected {COLUMNS}.", ROW | {"wings": 2}),
    posted(ROWS, "column missing", f"Column 'length' is missing; expected {COLUMNS}.", {"eggs": 1}),
    posted(ROWS, "key twice", "The key 'eggs' comes twice in one object; send it once.", b'{"length": 1, "eggs": 1, "eggs": 2, "tagged": true, "island": "Dream"}'),
    posted(ROWS, "list for a value", "Column 'eggs' holds a list; expected a number, a string, true, false or null.", ROW | {"eggs": [1]}),
    posted(ROWS, "kinds mixed", "Column 'eggs' holds both 1 and 'two'; expected values of one kind.", [ROW, ROW | {"eggs": "two"}]),
    posted(ROWS, "true for a number", r"Column 'eggs' is sent as BOOL; expected a number \(INT64\)\.", ROW | {"eggs": True}),
    posted(ROWS, "unknown category", "Column 'island' has 'Mars' in row 0, which this model's encoder refuses; .*", ROW | {"island": "Mars"}),
    posted("/predict", "no model named", "No model is named and there is no default one; expected one of champion, .*, plane, .*", ROW),
    posted("/predict/unknown", "model", "Model 'unknown' is unknown; .*", ROW, ABSENT),
    posted("/v2/repository/index", "no JSON", r"The body is not valid JSON at .*", b"x"),
    posted("/v2/repository/index", "list", "The body is a list; expected a JSON object.", []),
    posted("/v2/repository/index", "text for ready", "The body has 'yes' as its ready; expected true or false.", {"ready": "yes"}),
]  # fmt: skip
