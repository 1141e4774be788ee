"""What a run is told: one YAML file, read once, never changed after."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from training.columns import Kind
from training.config.backend import Backend
from training.config.calibration import Calibration
from training.config.card import CardText
from training.config.cleaning import Cleaning, Leakage, Quarantine
from training.config.columns import Column
from training.config.estimator import EstimatorChoice
from training.config.evaluation import SELECTION_RATE, EvaluationChoice
from training.config.features import Features
from training.config.lookups import LookupChoice, joined_twice
from training.config.retrain import Retrain
from training.config.search import Search
from training.config.section import Section, keys_of, section_at
from training.config.source import Source
from training.config.split import Split
from training.config.tracking import Tracking
from training.errors import ConfigurationError
from training.metrics import METRICS, Task, names_for

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""What a row counts."""


class Config(Section):
    """
    One run's configuration.

    Parameters
    ----------
    name : str
        Name of the model; versions are published under ``<root>/<name>/``.
    source : Source
        Where the rows come from.
    target : str
        Column to predict.
    task : Task
    columns : mapping of str to Column
        What columns hold; the kinds of those not named are inferred.
    drop : tuple of str
        Columns left out.
    duplicates : {"drop", "keep"}
        What happens to rows that are equal in every column.
    missing : tuple of str
        Cells that mean a missing value.
    cleaning : Cleaning
    quarantine : Quarantine
    leakage : Leakage
    features : Features
    lookups : mapping of str to LookupChoice
        Columns that are joined by an id, by the name of the look-up.
    split : Split
    estimator : EstimatorChoice or None
        None: logistic regression or ridge regression, by the task.
    class_weight : "balanced", mapping of label to float, or None
        What a row of each class counts in fitting; balanced: as much as the rows of every other class together do.
    sample_weight : str or None
        Column of what each row counts, in fitting and in calibration; list it under ``drop``, too.
    search : Search or None
        Parameters that are tried; None: those of ``estimator`` alone.
    calibration : Calibration or None
    backend : Backend
    metrics : tuple of str or None
        None: the usual ones of the task, as far as estimator and rows define them.
    floor : mapping of str to float
        Worst value of a metric with which the model is still published.
    evaluation : EvaluationChoice
    card : CardText
    promotion : {"automatic", "manual"}
        Whether ``run`` makes champion what it has published, or leaves that to whoever looks at it first.
    retrain : Retrain
        When the model is to be trained anew.
    tracking : Tracking
        Who is told of each version.
    """

    AFTERWARDS: ClassVar[frozenset[str]] = frozenset({"backend", "promotion", "retrain", "tracking"})
    """Keys that decide nothing about a version, but where it is made and what is done with it."""

    name: str
    source: Source
    target: str
    task: Task
    columns: dict[str, Column] = Field(default_factory=dict)
    drop: tuple[str, ...] = ()
    duplicates: Literal["drop", "keep"] = "drop"
    missing: tuple[str, ...] = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
    cleaning: Cleaning = Cleaning()
    quarantine: Quarantine = Quarantine()
    leakage: Leakage = Leakage()
    features: Features = Features()
    lookups: dict[str, LookupChoice] = Field(default_factory=dict)
    split: Split = Split()
    estimator: EstimatorChoice | None = None
    class_weight: Literal["balanced"] | dict[bool | int | str, Weight] | None = None
    sample_weight: str | None = None
    search: Search | None = None
    calibration: Calibration | None = None
    backend: Backend = Backend()
    metrics: Annotated[tuple[str, ...] | None, Field(min_length=1)] = None
    floor: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)
    promotion: Literal["automatic", "manual"] = "automatic"
    retrain: Retrain = Retrain()
    tracking: Tracking = Tracking()
    evaluation: EvaluationChoice = EvaluationChoice()
    card: CardText = CardText()

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            msg = "expected letters, digits, '.', '_' and '-', the first a letter or a digit"
            raise ValueError(msg)
        return name

    @model_validator(mode="after")
    def _target_is_kept(self) -> Self:
        for key, names in (("drop", self.drop), ("leakage.columns", self.leakage.columns)):
            if self.target in names:
                raise ValueError(f"{key} lists {self.target!r}, which is the target; expected other columns")
        if self.target in self.aside:
            raise ValueError(f"{self.target!r} is the target, and named by split or sample_weight; expected another")
        return self

    @model_validator(mode="after")
    def _fits_the_task(self) -> Self:
        if self.task is Task.REGRESSION and self.split.stratify:
            msg = "split.stratify is true in a regression; expected false, for there are no classes"
            raise ValueError(msg)
        kind = self.columns[self.target].kind if self.target in self.columns else None
        if self.task is Task.REGRESSION and kind not in (None, Kind.NUMBER):
            raise ValueError(f"columns.{self.target} is {kind!s} and the target of a regression; expected number")
        for key, value in (("class_weight", self.class_weight), ("calibration", self.calibration)):
            if self.task is Task.REGRESSION and value is not None:
                raise ValueError(f"{key} is set in a regression; expected none, for there are no classes")
        return self

    @model_validator(mode="after")
    def _calibrates_on_rows(self) -> Self:
        if self.calibration is not None and self.split.time is not None and not self.split.validation_size:
            msg = (
                "calibration in a split by time needs newer rows than those fitted on; "
                "set split.validation_size, to 0.1 for example"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _lookups_by_what_is_there(self) -> Self:
        for name, lookup in self.lookups.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"lookups has the name {name!r}; expected letters, digits, '.', '_' and '-'")
            if lookup.key in (self.target, *self.drop, *self.leakage.columns):
                raise ValueError(
                    f"lookups.{name}.key is {lookup.key!r}, which is the target or left out; expected another"
                )
            if self.target in lookup.columns:
                raise ValueError(f"lookups.{name} joins {self.target!r}, which is the target; expected other columns")
            if strange := sorted(lookup.defaults.keys() - lookup.columns.keys()):
                raise ValueError(f"lookups.{name}.defaults names {strange[0]!r}, which its columns lack; add it there")
        if (both := joined_twice(self.lookups.values())) is not None:
            raise ValueError(f"two of lookups join {both!r}; rename one of them in its table by a view")
        return self

    @model_validator(mode="after")
    def _known_metrics(self) -> Self:
        known = names_for(self.task)
        chosen_by = [self.search.metric] if self.search and self.search.metric else []
        for key, names in (("metrics", self.metrics or ()), ("floor", self.floor), ("search.metric", chosen_by)):
            strange = [name for name in names if name not in known]
            if strange:
                what = "is not of this task" if strange[0] in METRICS else "is unknown"
                raise ValueError(f"{key} names {strange[0]!r}, which {what}; expected some of {', '.join(known)}")
        unmeasured = [name for name in self.floor if self.metrics is not None and name not in self.metrics]
        if unmeasured:
            raise ValueError(f"floor names {unmeasured[0]!r}, which metrics does not; add it there")
        return self

    @model_validator(mode="after")
    def _fitting_checks(self) -> Self:
        choice, known = self.evaluation, names_for(self.task)
        known += (SELECTION_RATE,) if self.task is Task.CLASSIFICATION else ()
        strange = next(((key, name) for key, name in choice.metrics if name not in known), None)
        if strange:
            key, name = strange
            what = "is not of this task" if name in METRICS or name == SELECTION_RATE else "is unknown"
            raise ValueError(f"evaluation.{key} names {name!r}, which {what}; expected one of {', '.join(known)}")
        return self

    @property
    def stratified(self) -> bool:
        """Whether the split keeps the proportions of the classes."""
        return self.task is Task.CLASSIFICATION and self.split.stratify is not False and self.split.time is None

    @property
    def aside(self) -> tuple[str, ...]:
        """Columns that rows are divided and weighed by: those of the split, features or not, and of slices if dropped."""
        names = (self.split.group, self.split.time, self.sample_weight, *self.sliced_aside)
        return tuple(dict.fromkeys(name for name in names if name is not None))

    @property
    def sliced_aside(self) -> tuple[str, ...]:
        """Columns of slices and of fairness that the model is not given."""
        dropped = {*self.drop, *self.leakage.columns}
        return tuple(name for name in self.evaluation.columns if name in dropped)

    def as_json(self) -> dict[str, Any]:
        """Return every setting, defaults included, as JSON values under the file's keys."""
        return self.model_dump(mode="json", by_alias=True)


def load_config(path: Path) -> Config:
    """
    Read a configuration file.

    Raises
    ------
    ConfigurationError
        The file can't be read, is not YAML, or a key or value does not fit; the sentence names file, key and value.
    """
    content = _parse(path)
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {_sentence(error.errors()[0])}") from error


def _parse(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {_where(error)}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} holds {_named(content)}; expected keys such as name, source, target and task")
    return content


def _where(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem} in line {mark.line + 1}, column {mark.column + 1}"
    return str(error).splitlines()[0]


def _named(content: object) -> str:
    return "nothing" if content is None else f"a {type(content).__name__}"


def _sentence(error: Any) -> str:
    """Say in one sentence what pydantic found first."""
    place: tuple[int | str, ...] = error["loc"]
    key = ".".join(map(str, place))
    if error["type"] == "extra_forbidden":
        return f"key {key!r} is unknown; expected one of {', '.join(keys_of(section_at(Config, place[:-1])))}"
    if error["type"] == "missing":
        return f"key {key!r} is missing"
    value, reason = error["input"], error["msg"].replace("Input should be", "expected")
    if error["type"] == "value_error":
        reason = str(error["ctx"]["error"])
        if isinstance(value, dict):
            return f"{key}: {reason}" if key else reason
    # What has an @ may be a URL with a password in it, and is not repeated.
    return f"{key}: {reason}" if "@" in repr(value) else f"{key} is {value!r}; {reason}"
