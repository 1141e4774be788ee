"""The step of a pipeline that joins columns by a key; published with it, without an address or a secret."""

import os
import re
from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from model.lookup.client import Answer, Client, Settings
from model.lookup.found import LooksUp, Observer
from model.lookup.sources import MODULES, Kind, Place
from model.lookup.values import TYPES, Key, Misfit, Type, column_of, plain, row_of

_ADDRESS: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ANSWERS: Final = ("error", "defaults")


class Lookup(LooksUp, TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """
    Joins columns of a table in SQL or Redis to a frame, by the id that one of its columns has.

    A request is one query, whatever its rows. What the table said is remembered for a while. While a source is down it
    is left alone, and requests are answered as declared: by an error (HTTP 503), or from stale rows and defaults.

    Parameters
    ----------
    name : str
        What metrics and errors call it; each of a pipeline has its own.
    key : str
        Column of the frame that has the ids.
    columns : mapping of str to {"number", "text", "boolean", "date"}
        Columns of the table, or fields of the hash, to be joined under these names, and their types.
    address : str
        Name of the environment variable that has the source's URL, such as ``FEATURES_URL``. The URL itself is never
        part of an artifact.
    table : str
        Table or view, as ``table`` or ``schema.table``. In Redis, what stands before ``:`` and the id in the name of a
        hash.
    source : {"sql", "redis"}
    table_key : str, optional
        Column of the table that has the ids, one row for each; by default it is called as in the frame.
    defaults : mapping of str to number, text or bool, optional
        Values of an id that is unknown, or whose source is down. A column that is not named is missing then.
    on_unknown : {"defaults", "error"}
        What an unknown or missing id leads to; an error is the client's (HTTP 400).
    on_failure : {"error", "defaults"}
        What a source leads to that is down, while a server answers. Anywhere else it is an error, so that no model is
        fitted on defaults.
    timeout_seconds : float
        How long a request may wait for the source, connecting included.
    connections : int
        That are kept open by a process, and as many are there at most.
    cache_rows : int
        Ids that are remembered, 0 for none.
    cache_seconds : float
        How long.
    stale_seconds : float
        How long after that they may be used where the source does not answer.
    rest_seconds : float
        How long a source is left alone that has not answered three times in a row.

    Attributes
    ----------
    feature_names_in_ : ndarray of str
    n_features_in_ : int

    Notes
    -----
    Rows are joined as they are *now*. A model that is fitted on them learns from values that were not known when its
    target came about, unless the table keeps what it held then: point ``table`` at a view as of the time of training.

    Examples
    --------
    >>> from model.lookup.transformer import Lookup
    >>> Lookup(name="customers", key="customer", columns={"income": "number"}, address="FEATURES_URL", table="customers")
    Lookup(address='FEATURES_URL', columns={'income': 'number'}, key='customer',
           name='customers', table='customers')
    """

    def __init__(
        self,
        *,
        name: str,
        key: str,
        columns: Mapping[str, Type],
        address: str,
        table: str,
        source: Kind = "sql",
        table_key: str | None = None,
        defaults: Mapping[str, float | str | bool | None] | None = None,
        on_unknown: Answer = "defaults",
        on_failure: Answer = "error",
        timeout_seconds: float = 0.25,
        connections: int = 4,
        cache_rows: int = 10_000,
        cache_seconds: float = 60.0,
        stale_seconds: float = 0.0,
        rest_seconds: float = 5.0,
    ) -> None:
        self.name = name
        self.key = key
        self.columns = columns
        self.address = address
        self.table = table
        self.source = source
        self.table_key = table_key
        self.defaults = defaults
        self.on_unknown = on_unknown
        self.on_failure = on_failure
        self.timeout_seconds = timeout_seconds
        self.connections = connections
        self.cache_rows = cache_rows
        self.cache_seconds = cache_seconds
        self.stale_seconds = stale_seconds
        self.rest_seconds = rest_seconds

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002 -- scikit-learn's way
        """
        Note the columns of a frame; nothing is learned from rows, and nothing is asked.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
        y : object, optional
            Ignored.

        Raises
        ------
        ValueError
            A parameter does not fit, X is no frame, has no such key, or has a column that is to be joined already.
        """
        self._settings()
        _keys(X, self.key)
        taken = [name for name in self.columns if name in X.columns]
        if taken:
            raise ValueError(
                f"The look-up {self.name!r} joins {taken[0]!r}, which is a column already; "
                f"rename it in the table by a view, or drop it from the data."
            )
        self.feature_names_in_: npt.NDArray[Any] = np.array([str(name) for name in X.columns], dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """
        Join the columns.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)

        Returns
        -------
        X : DataFrame of shape (n_samples, n_features + n_columns)
            A copy with the columns after the others, in the same order of rows.

        Raises
        ------
        SourceUnavailable
            The source does not answer, and this is to be an error.
        InvalidInput
            An id is unknown, and this is to be an error; or it is of another type than the table's.
        ArtifactError
            The address is not in the environment, is none, or its driver is not installed.
        """
        check_is_fitted(self)
        rows = self._client().rows(_keys(X, self.key))
        joined = {
            name: column_of([row[i] for row in rows], kind) for i, (name, kind) in enumerate(self.columns.items())
        }
        return pd.concat([X, pd.DataFrame(joined, index=X.index)], axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[Any]:
        """
        Return the names of the columns that come out.

        Parameters
        ----------
        input_features : array-like of str, optional
            Ignored unless it is given; then it has to be those of ``fit``.
        """
        check_is_fitted(self)
        names = [*self.feature_names_in_]
        if input_features is not None and [*input_features] != names:
            raise ValueError(f"input_features is {[*input_features]}; expected {names}, as in fit.")
        return np.array([*names, *self.columns], dtype=object)

    @property
    def modules(self) -> tuple[str, ...]:
        """See ``LooksUp.modules``."""
        return (MODULES[self.source],)

    def prepare(self) -> None:
        """See ``LooksUp.prepare``."""
        self._client()

    def serve(self) -> None:
        """See ``LooksUp.serve``."""
        self._client().serving = True

    def watch(self, observer: Observer) -> None:
        """See ``LooksUp.watch``."""
        self._client().observer = observer

    def _client(self) -> Client:
        """Return this process' way to the source; it is made at need, and remade where a parameter has changed."""
        settings = self._settings()
        before: Client | None = self.__dict__.get("_kept")
        if before is not None and before.pid == os.getpid() and before.settings == settings:
            return before
        client = Client(settings)
        if before is not None:
            client.serving, client.observer = before.serving, before.observer
            if before.pid != client.pid:
                before.leave()
        # Of two threads that come here at once, either's will do: neither is connected yet.
        self._kept = client
        return client

    def _settings(self) -> Settings:
        _check(self)
        defaults = self.defaults or {}
        place = Place(
            self.source,
            self.address,
            self.table,
            self.table_key or self.key,
            dict(self.columns),
            self.timeout_seconds,
            self.connections,
        )
        try:
            row = row_of([defaults.get(name) for name in self.columns], self.columns)
        except Misfit as error:
            raise ValueError(f"defaults of the look-up {self.name!r} do not fit: {error}.") from error
        return Settings(
            self.name,
            self.key,
            place,
            row,
            self.on_unknown,
            self.on_failure,
            self.cache_rows,
            self.cache_seconds,
            self.stale_seconds,
            self.rest_seconds,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the way to the source: it is made anew wherever this is unpickled."""
        return {name: value for name, value in super().__getstate__().items() if name != "_kept"}

    def __sklearn_clone__(self) -> Self:
        """Return one that is not fitted and shares what this one knows: a search clones it for every fit."""
        clone = type(self)(**self.get_params(deep=False))
        if "_kept" in self.__dict__:
            clone.__dict__["_kept"] = self._kept
        return clone

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.allow_nan = tags.input_tags.categorical = True
        tags.no_validation = True
        return tags


def _keys(X: Any, name: str) -> list[Key | None]:
    if not isinstance(X, pd.DataFrame):
        raise ValueError(f"A look-up takes a DataFrame with the column {name!r}; got {type(X).__name__}.")  # noqa: TRY004 -- scikit-learn's way
    if name not in X.columns:
        raise ValueError(f"A look-up by {name!r} is given no such column; got {', '.join(map(str, X.columns))}.")
    values = X[name]
    return [None if missing else plain(key) for key, missing in zip(values.tolist(), values.isna(), strict=True)]


def _check(lookup: Lookup) -> None:
    """Hold the parameters to what they may be; scikit-learn's way is to do that no earlier than in fit."""

    def expect(parameter: str, expected: str, *, holds: bool) -> None:
        if not holds:
            value = getattr(lookup, parameter)
            raise ValueError(f"{parameter} of the look-up {lookup.name!r} is {value!r}; expected {expected}.")

    expect("name", "letters, digits, '.', '_' and '-'", holds=bool(_NAME.fullmatch(str(lookup.name))))
    expect("source", f"one of {', '.join(MODULES)}", holds=lookup.source in MODULES)
    # Never shown as it is: it may be the address itself, with a password in it.
    if not _ADDRESS.fullmatch(str(lookup.address)):
        raise ValueError(
            f"address of the look-up {lookup.name!r} is no name of an environment variable; expected one such as "
            f"FEATURES_URL, which has the source's URL where the model is fitted and where it is served."
        )
    expect("columns", "at least one column and its type", holds=bool(lookup.columns))
    for kind in lookup.columns.values():
        expect("columns", f"types among {', '.join(TYPES)}", holds=kind in TYPES)
    expect("defaults", "values of its columns", holds=set(lookup.defaults or ()) <= set(lookup.columns))
    for parameter in ("on_unknown", "on_failure"):
        expect(parameter, f"one of {', '.join(_ANSWERS)}", holds=getattr(lookup, parameter) in _ANSWERS)
    for parameter in ("timeout_seconds", "rest_seconds"):
        expect(parameter, "seconds above 0", holds=getattr(lookup, parameter) > 0)
    for parameter in ("cache_rows", "cache_seconds", "stale_seconds"):
        expect(parameter, "0 or more", holds=getattr(lookup, parameter) >= 0)
    expect("connections", "1 or more", holds=lookup.connections >= 1)


__all__ = ["Lookup"]
