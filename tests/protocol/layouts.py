"""A model's rows in the forms that a request may have: columns in tensors, a single tensor, V1 instances."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tests.protocol import zoo
from tests.protocol.encodings import Answer, Ask, Sent
from tests.protocol.wires import Clients

MISSING = (None, np.nan, pd.NaT, pd.NA)
ROWS = 6


@dataclass(frozen=True)
class Case:
    """A model, and the form in which its rows are laid out in tensors."""

    model: str
    form: str

    def __str__(self) -> str:
        return f"{self.model}-{self.form}"


UNNAMED = {
    "k_neighbors",
    "text_pipeline",
    "tfidf_vectorizer",
    "multilabel_neighbors",
    "isotonic_regression",
    "standard_scaler",
    "unnamed_strings",
}
NUMERIC = {
    "logistic_regression",
    "multi_output_forest",
    "multi_output_linear",
    "ridge",
    "k_means",
    "isolation_forest",
    "logistic_regression_boolean_labels",
    "hist_gradient_boosting",
    "decision_tree",
    "plane",
    "strange_names",
    "float_labels",
}


def named(model: str) -> bool:
    return model not in UNNAMED


def forms(model: str) -> Iterator[str]:
    if model in UNNAMED:
        yield from ("single", "np")
        return
    yield from ("columns", "tall columns", "shuffled columns", "pd")
    if model in NUMERIC:
        yield from ("single", "np")


OWN = ("fish", "plane", "weekdays", "strange_names", "float_labels")
CASES_OF_ANY_SIZE = (
    Case("mixed_columns", "columns"),
    Case("logistic_regression", "single"),
    Case("k_neighbors", "single"),
    Case("text_pipeline", "single"),
)
CASES = [Case(model, form) for model in (*zoo.FAMILIES, *OWN) for form in forms(model)]


def plain(value: Any) -> Any:
    """Return a cell as JSON holds it."""
    if any(value is missing for missing in MISSING) or value != value:  # noqa: PLR0124 -- NaN alone differs from itself
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def table(X: Any, indices: list[int]) -> Any:
    """Return rows in the container they have in `X`."""
    if isinstance(X, pd.DataFrame):
        return X.iloc[indices].reset_index(drop=True)
    return [X[i] for i in indices] if isinstance(X, list) else X[indices]


def columns(clients: Clients, model: str, rows: Any) -> list[Sent]:
    """Return one tensor per column, of the datatypes that the model's metadata name."""
    metadata = clients.rest.get(f"/v2/models/{model}").json()
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(np.asarray(rows, dtype=object))
    frame.columns = frame.columns.map(str)
    return [
        Sent(item["name"], item["datatype"], (len(frame),), tuple(map(plain, frame[item["name"]].tolist())))
        for item in metadata["inputs"]
    ]


def single(clients: Clients, model: str, rows: Any) -> Sent:
    """Return the one tensor of a model without names, or of numbers alone."""
    item = clients.rest.get(f"/v2/models/{model}").json()["inputs"][0]
    values = rows.to_numpy() if isinstance(rows, pd.DataFrame) else np.asarray(rows)
    datatype = "FP64" if named(model) else item["datatype"]
    return Sent("whatever", datatype, values.shape, tuple(map(plain, values.ravel().tolist())))


def ask(clients: Clients, case: Case, rows: Any, outputs: tuple[str, ...]) -> Ask:
    if case.form in {"single", "np"}:
        parameters = {"content_type": "np"} if case.form == "np" else {}
        return Ask(case.model, (single(clients, case.model, rows),), outputs=outputs, parameters=parameters)
    sent = columns(clients, case.model, rows)
    match case.form:
        case "tall columns":
            sent = [Sent(s.name, s.datatype, (*s.shape, 1), s.values) for s in sent]
        case "shuffled columns":
            sent = sent[::-1]
    return Ask(case.model, tuple(sent), outputs=outputs, parameters={"content_type": "pd"} if case.form == "pd" else {})


def own_answer(model: str, rows: Any, output: str) -> Any:
    """Return what the estimator answers when asked directly."""
    estimator = zoo.subject(model).estimator
    method, _, index = output.rpartition("_")
    if index.isdigit():
        return np.asarray(getattr(estimator, method)(rows)[int(index)])
    answer = getattr(estimator, output)(rows)
    return answer.toarray() if hasattr(answer, "toarray") else np.asarray(answer)


def check(answer: Answer, model: str, rows: Any) -> None:
    for name, got in answer.outputs.items():
        expected = own_answer(model, rows, name)
        assert got.shape == expected.shape
        kind = {"f": "FP64", "i": "INT64", "u": "INT64", "b": "BOOL"}.get(expected.dtype.kind, "BYTES")
        assert got.datatype == kind, name
        if kind == "FP64":
            np.testing.assert_allclose(got.array(), expected, rtol=1e-12, atol=1e-14)
        else:
            assert got.array().tolist() == expected.tolist()


def outputs_of(clients: Clients, model: str) -> tuple[str, ...]:
    """Return every output but those that may hold infinities, which JSON has no token for."""
    metadata = clients.rest.get(f"/v2/models/{model}").json()
    return tuple(item["name"] for item in metadata["outputs"] if not item["name"].startswith("predict_log_proba"))


def rows_for(model: str, *, gaps: bool) -> Any:
    """Return rows of a model's sample; without gaps, of those that miss nothing but floats."""
    X = zoo.subject(model).X
    indices = list(range(len(X)))
    if not gaps and isinstance(X, pd.DataFrame):
        only = X.drop(columns=X.select_dtypes("float").columns)
        indices = [i for i in indices if not only.iloc[i].isna().any()]
    return table(X, indices[:ROWS])


def instances(model: str, rows: Any, form: str) -> list[Any]:
    """Return rows as V1 takes them: objects by column, lists, or bare texts."""
    if isinstance(rows, list):
        return rows
    if isinstance(rows, pd.DataFrame):
        records = [{name: plain(value) for name, value in zip(rows, row, strict=True)} for row in rows.to_numpy(object)]
        return records if form == "objects" else [list(record.values()) for record in records]
    return [[plain(value) for value in row] for row in rows.tolist()]
