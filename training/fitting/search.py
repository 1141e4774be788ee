"""Which parameters of an estimator score best on rows that it was not fitted on."""

import logging
import math
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 -- makes the next import possible
from sklearn.model_selection import HalvingRandomSearchCV, RandomizedSearchCV, cross_validate

from training import progress
from training.config import Config
from training.config.search import Search
from training.errors import ConfigurationError, FitError
from training.fitting import space
from training.fitting.folds import Fold, folds
from training.fitting.recipe import STEP, Recipe
from training.fitting.sample import Sample
from training.fitting.scoring import Scorer
from training.fitting.weights import weights
from training.metrics import Task

log = logging.getLogger(__name__)

Values = npt.NDArray[np.float64]
_FOLDS: Final = 5
_FACTOR: Final = 3
"""Of the candidates of a round of halving one in so many stays, and is given so many times the rows."""
_PREFIX: Final = f"pipeline__{STEP}__"


@dataclass(frozen=True)
class Found:
    """
    What a search came to.

    Parameters
    ----------
    parameters : dict
        Of the best candidate.
    table : DataFrame of shape (n_candidates, n_columns)
        A row for each candidate (of halving: in each round), best first: ``rank`` (none where it could not be scored),
        its parameters, ``mean`` and ``std`` of the metric and its value in each fold, ``seconds`` of a fit.
    summary : dict
        As JSON values.
    """

    parameters: dict[str, Any]
    table: pd.DataFrame
    summary: dict[str, Any]


def search(recipe: Recipe, sample: Sample, holdout: Sample | None, config: Config) -> Found:
    """
    Try parameters, the same ones for the same seed.

    Parameters
    ----------
    recipe : Recipe
    sample : Sample
        Rows to fit on.
    holdout : Sample or None
        Rows to validate.
    config : Config
        Has a ``search``.

    Raises
    ------
    ConfigurationError
        The space names what the estimator does not have, or optuna is not installed.
    DataError
        There are too few rows for the folds.
    FitError
        No candidate could be fitted and scored.
    """
    chosen = config.search
    assert chosen is not None  # noqa: S101 -- or nobody would search
    estimator = recipe.pipeline.named_steps[STEP]
    space.check_names(chosen, estimator)
    scorer = Scorer(metric_of(config))
    sample, divided = _divided(sample, holdout, config)
    where = f"in {len(divided)} folds" if len(divided) > 1 else "on the validation part"
    log.info(
        "search: %d candidates of %s %s by %s", _candidates(chosen), type(estimator).__name__, where, scorer.metric
    )
    task = _Task(recipe, sample, divided, scorer, chosen, config.split.seed, weights(sample, config))
    began = time.perf_counter()
    table, reasons = _METHODS[chosen.method](task)
    for reason, times in reasons.items():
        log.warning("search: %d fits failed: %s", times, reason)
    return _found(table, task, reasons, time.perf_counter() - began)


def metric_of(config: Config) -> str:
    """Return the name of the metric that candidates are compared by."""
    named = config.search.metric if config.search else None
    return named or ("accuracy" if config.task is Task.CLASSIFICATION else "rmse")


@dataclass(frozen=True)
class _Task:
    recipe: Recipe
    sample: Sample
    folds: Sequence[Fold]
    scorer: Scorer
    search: Search
    seed: int
    weights: Mapping[str, Any]


Reasons = Mapping[str, int]
"""Why fits failed, and how many did."""


def _divided(sample: Sample, holdout: Sample | None, config: Config) -> tuple[Sample, Sequence[Fold]]:
    count = config.search.folds if config.search else None
    if count is not None or holdout is None:
        return sample, folds(sample, config, count or _FOLDS)
    rows = np.arange(len(sample) + len(holdout))
    return sample.joined(holdout), [(rows[: len(sample)], rows[len(sample) :])]


def _candidates(chosen: Search) -> int:
    """Return how many candidates there will be: no more than a space of lists has."""
    return min(chosen.candidates, space.size(chosen) or chosen.candidates)


def _by_scikit_learn(task: _Task) -> tuple[pd.DataFrame, Reasons]:
    halving = task.search.method == "halving"
    count, distributions = _candidates(task.search), space.distributions(task.search, _PREFIX)
    how = {
        "scoring": task.scorer,
        "cv": list(task.folds),
        "refit": False,
        "error_score": math.nan,
        "random_state": task.seed,
        "return_train_score": False,
    }
    searching = (
        HalvingRandomSearchCV(task.recipe, distributions, n_candidates=count, factor=_FACTOR, **how)
        if halving
        else RandomizedSearchCV(task.recipe, distributions, n_iter=count, **how)
    )
    with progress.jobs("search", None if halving else count * len(task.folds)), _failures() as reasons:
        try:
            searching.fit(task.sample.X, task.sample.y, **task.weights)
        except ValueError as error:  # as where every fit of a round failed
            raise FitError(f"no candidate of the search can be fitted: {_last_line(str(error))}") from error
    results = searching.cv_results_
    rounds = {"round": results["iter"] + 1, "rows": results["n_resources"]} if halving else {}
    drawn = [{name.removeprefix(_PREFIX): value for name, value in one.items()} for one in results["params"]]
    scores = np.column_stack([results[f"split{fold}_test_score"] for fold in range(len(task.folds))])
    return _table(task, drawn, scores, results["mean_fit_time"], rounds), reasons


def _by_optuna(task: _Task) -> tuple[pd.DataFrame, Reasons]:
    study = _study(task.seed)
    drawn, scores, seconds = [], [], []
    with _failures() as reasons:
        for _ in progress.each(range(_candidates(task.search)), "search", _candidates(task.search), "candidate"):
            trial = study.ask()
            candidate = space.suggest(task.search, trial)
            its, took = _cross_validated(task, candidate, reasons)
            # A trial that is told no value has failed, and the next ones are drawn without it.
            study.tell(trial, float(its.mean()) if np.isfinite(its).all() else math.nan, skip_if_finished=True)
            drawn.append(candidate)
            scores.append(its)
            seconds.append(took)
    return _table(task, drawn, np.array(scores), np.array(seconds), {}), reasons


def _study(seed: int) -> Any:
    try:
        import optuna  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise ConfigurationError(
            "search.method is optuna, which is not installed; install it by pip install 'sklearn-kserve[optuna]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))


def _cross_validated(task: _Task, candidate: Mapping[str, Any], reasons: Counter[str]) -> tuple[Values, float]:
    recipe = clone(task.recipe).set_params(**{_PREFIX + name: value for name, value in candidate.items()})
    try:
        found = cross_validate(
            recipe,
            task.sample.X,
            task.sample.y,
            cv=list(task.folds),
            scoring=task.scorer,
            params=dict(task.weights),
            error_score=math.nan,
        )
    except ValueError as error:  # every fold failed
        reasons[_last_line(str(error))] += len(task.folds)
        return np.full(len(task.folds), math.nan), math.nan
    return found["test_score"], float(found["fit_time"].mean())


_METHODS: Final[Mapping[str, Callable[[_Task], tuple[pd.DataFrame, Reasons]]]] = {
    "random": _by_scikit_learn,
    "halving": _by_scikit_learn,
    "optuna": _by_optuna,
}


def _table(
    task: _Task, drawn: Sequence[Mapping[str, Any]], scores: Values, seconds: Values, rounds: Mapping[str, Any]
) -> pd.DataFrame:
    """Put candidates in order: those of the last round first, the best of each before the others."""
    values = task.scorer.sign * scores
    means = scores.mean(axis=1)
    order = np.lexsort((np.where(np.isfinite(means), -means, np.inf), -np.asarray(rounds.get("round", 0 * means))))
    table = pd.DataFrame(
        {
            **rounds,
            **{name: pd.Series([one[name] for one in drawn], dtype=object) for name in task.search.space},
            "mean": values.mean(axis=1),
            "std": values.std(axis=1),
            **{f"fold_{fold + 1}": values[:, fold] for fold in range(values.shape[1])},
            "seconds": seconds,
        }
    ).iloc[order]
    scored = np.isfinite(table["mean"])
    table.insert(0, "rank", pd.Series(np.cumsum(scored), index=table.index, dtype="Int64").where(scored))
    return table.reset_index(drop=True)


def _found(table: pd.DataFrame, task: _Task, reasons: Reasons, seconds: float) -> Found:
    scored = table[table["rank"].notna()]
    name = type(task.recipe.pipeline.named_steps[STEP]).__name__
    if scored.empty:
        why = next(iter(reasons), None) or (
            f"{task.scorer.metric} is not defined for {name} or these rows; "
            f"expected another search.metric, or rows of every class in each fold"
        )
        raise FitError(f"no candidate of the search can be scored: {why}")
    best = scored.iloc[0]
    first = table[table["round"] == 1] if "round" in table else table
    parameters = space.plain({name: best[name] for name in task.search.space})
    summary = {
        "method": task.search.method,
        "metric": task.scorer.metric,
        "folds": len(task.folds),
        "candidates": len(first),
        "failed": int(first["rank"].isna().sum()),
        "best": {"parameters": parameters, "mean": float(best["mean"]), "std": float(best["std"])},
        "seconds": round(seconds, 3),
    }
    drawn = ", ".join(f"{name} {value}" for name, value in parameters.items())
    log.info("search: %s %.4g with %s, best of %d", task.scorer.metric, best["mean"], drawn, len(first))
    return Found(parameters, table, summary)


_FAILED: Final = re.compile(
    r"^(\d+) fits failed with the following error:\n(.*?)(?=^-{40}|\Z)", re.MULTILINE | re.DOTALL
)


@contextmanager
def _failures() -> Iterator[Counter[str]]:
    """Count why fits failed, as scikit-learn warns of it; other warnings of so many fits help nobody."""
    reasons: Counter[str] = Counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", FitFailedWarning)
        yield reasons
    for warning in caught:
        for times, traceback in _FAILED.findall(str(warning.message)):
            reasons[_last_line(traceback)] += int(times)


def _last_line(text: str) -> str:
    """Return what an error says, without the lines that lead to it and its name."""
    return re.sub(r"^[\w.]+(Error|Exception): ", "", text.strip().splitlines()[-1].strip())
