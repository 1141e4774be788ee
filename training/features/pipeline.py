"""The pipeline that becomes the artifact."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from training.columns import Kind
from training.config.features import Features, Interactions, Prepared
from training.config.lookups import LookupChoice
from training.errors import ConfigurationError
from training.features.custom import make as make_custom
from training.features.kinds import Transformer, make, number

_IN_TURN: Final = (Kind.NUMBER, Kind.CATEGORY, Kind.BOOLEAN, Kind.DATE)
"""Kinds of which columns are prepared together where they are prepared alike; each text is prepared by itself."""

Part = tuple[str, Transformer, list[str]]


def build(
    kinds: Mapping[str, Kind],
    estimator: Any,
    features: Features | None = None,
    seed: int = 0,
    lookups: Mapping[str, LookupChoice] | None = None,
) -> Pipeline:
    """
    Put look-ups and preprocessing before an estimator.

    A pipeline is of scikit-learn's, numpy's and the server's own parts, so that it can be served where training is not
    installed; what comes from elsewhere is the estimator, and the transformers that the configuration names. Missing
    values and unknown categories are answered, never an error.

    Parameters
    ----------
    kinds : mapping of str to Kind
        Of each column, in the order of the table.
    estimator : estimator, not fitted
    features : Features, optional
        How columns are prepared; else as each kind has it.
    seed : int
        Of what draws random numbers.
    lookups : mapping of str to LookupChoice, optional
        What is joined by columns of the table, which are no features themselves; joined columns are prepared as others.

    Returns
    -------
    pipeline : Pipeline, not fitted

    Raises
    ------
    ConfigurationError
        A column that ``features`` names is none, or of another kind; or a transformer can't be had.
    """
    features = features or Features()
    steps = [(f"lookup_{name}", lookup.transformer(name)) for name, lookup in (lookups or {}).items()]
    kinds = _joined(kinds, (lookups or {}).values())
    _check_names(kinds, features)
    preprocessing = _preprocessing(kinds, features, seed, named=bool(steps))
    return Pipeline([*steps, ("preprocess", preprocessing), ("estimator", estimator)])


def _joined(kinds: Mapping[str, Kind], lookups: Collection[LookupChoice]) -> Mapping[str, Kind]:
    keys = {lookup.key for lookup in lookups}
    others = {name: kind for name, kind in kinds.items() if name not in keys}
    return {**others, **{name: kind for lookup in lookups for name, kind in lookup.columns.items()}}


def _preprocessing(kinds: Mapping[str, Kind], features: Features, seed: int, *, named: bool) -> Transformer:
    parts = list(_parts(kinds, features, seed))
    if len(parts) == 1 and set(kinds.values()) == {Kind.NUMBER} and not (features.transformers or named):
        return parts[0][1]  # without a ColumnTransformer it takes a bare array as well, which is faster to serve
    return ColumnTransformer(parts)


def _parts(kinds: Mapping[str, Kind], features: Features, seed: int) -> Iterator[Part]:
    own = {name for choice in features.transformers for name in choice.columns}
    left = {name: kind for name, kind in kinds.items() if name not in own}
    for kind in _IN_TURN:
        alike = _alike([name for name, its in left.items() if its is kind], kind, features)
        for i, (how, names) in enumerate(alike):
            yield (str(kind) if i == 0 else f"{kind}_{i}"), make(how, seed), names
    texts = [name for name, its in left.items() if its is Kind.TEXT]
    for i, name in enumerate(texts):
        yield f"text_{i}", make(features.of(name, Kind.TEXT), seed), [name]
    for i, products in enumerate(features.interactions):
        yield f"interactions_{i}", _products(products, features), list(products.columns)
    for i, choice in enumerate(features.transformers):
        yield f"own_{i}", make_custom(choice, f"features.transformers.{i}"), list(choice.columns)


def _alike(names: list[str], kind: Kind, features: Features) -> list[tuple[Prepared, list[str]]]:
    """Return the columns that are prepared in the same way, the first of them first."""
    alike: list[tuple[Prepared, list[str]]] = []
    for name in names:
        how = features.of(name, kind)
        group = next((chosen for known, chosen in alike if known == how), None)
        if group is None:
            alike.append((how, [name]))
        else:
            group.append(name)
    return alike


def _products(products: Interactions, features: Features) -> Pipeline:
    """Make products of at least two factors: the columns themselves are there already."""
    plain = features.number.model_copy(update={"indicator": False})
    degrees = (2, products.degree)
    return make_pipeline(
        *(step for _, step in number(plain).steps),
        PolynomialFeatures(degrees, interaction_only=not products.powers, include_bias=False),
    )


def _check_names(kinds: Mapping[str, Kind], features: Features) -> None:
    for key, names in (
        ("features.columns", features.columns),
        *((f"features.transformers.{i}.columns", each.columns) for i, each in enumerate(features.transformers)),
        *((f"features.interactions.{i}.columns", each.columns) for i, each in enumerate(features.interactions)),
    ):
        unknown = [name for name in names if name not in kinds]
        if unknown:
            raise ConfigurationError(
                f"{key} names {unknown[0]!r}, which is no feature; expected some of {', '.join(kinds)}"
            )
    for i, products in enumerate(features.interactions):
        others = [name for name in products.columns if kinds[name] is not Kind.NUMBER]
        if others:
            raise ConfigurationError(
                f"features.interactions.{i}.columns names {others[0]!r}, a {kinds[others[0]]}; expected numbers"
            )
