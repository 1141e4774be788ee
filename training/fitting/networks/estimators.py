"""skorch's estimators, fitted as any other: on tables and labels of any type, by a seed, until held-out rows say stop."""

import inspect
import multiprocessing
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import skorch
import torch
from sklearn.preprocessing import LabelEncoder
from skorch.callbacks import EarlyStopping, EpochTimer, PassthroughScoring

from model.network import Graph, NetworkClassifier, NetworkRegressor, as_float32
from training import progress
from training.errors import ConfigurationError, FitError
from training.fitting.exports import Export
from training.fitting.networks.classes import classes
from training.fitting.networks.export import checkpoint, compared, graph_of

_ROWS: Final = 2000
"""Rows whose answers are seen to be probabilities."""
_SUM: Final = 1e-3
"""By how much probabilities may miss 1."""


class _Network(skorch.NeuralNet):  # type: ignore[misc]  # skorch has no types
    """What skorch's estimators need to be fitted as any other: tables of any type, a seed, rows to stop by."""

    def __init__(
        self,
        *args: Any,
        random_state: int | None = None,
        early_stopping_rounds: int | None = None,
        train_split: Any = None,
        verbose: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__(*args, train_split=train_split, verbose=verbose, **settings)
        self.random_state = random_state
        self.early_stopping_rounds = early_stopping_rounds

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters, classes by their import paths as well."""
        super().set_params(**classes(parameters, "search.space"))
        return self

    def fit(self, X: Any, y: Any, eval_set: Any = None) -> Self:
        """
        Fit the network.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        eval_set : list of one pair of X and y, optional
            Rows to stop by, where ``early_stopping_rounds`` asks for it.
        """
        rows = as_float32(X)
        self.n_features_in_ = rows.shape[1]
        self._learn(y)
        self.stops_by_ = [(as_float32(held), self._coded(its)) for held, its in eval_set or ()]
        watched = multiprocessing.current_process().name == "MainProcess" and (
            threading.current_thread() is threading.main_thread()
        )
        shown = progress.bar("fit", self.max_epochs, "epoch") if watched else None
        self.shown_ = shown
        try:
            with _repeatable(self.random_state):
                super().fit(rows, self._coded(y))
        finally:
            del self.stops_by_, self.shown_
            if shown is not None:
                shown.close()
        return self

    @property
    def n_iter_(self) -> int:
        """Epochs after which it was best, where it stops early; else all of them."""
        losses = [epoch.get("valid_loss") for epoch in self.history]
        return len(losses) if None in losses else int(np.argmin(losses)) + 1

    def initialize_module(self) -> Self:
        """Make the module; one that asks for ``input_dim`` or ``output_dim`` is told how many columns it has to."""
        known = {"input_dim": self.n_features_in_, "output_dim": self._width}
        taken = inspect.signature(self.module).parameters
        given = self.get_params_for("module")
        self.parameters_ = {name: size for name, size in known.items() if name in taken} | given
        self.module_ = self.initialized_instance(self.module, self.parameters_)
        return self

    def get_split_datasets(self, X: Any, y: Any = None, **settings: Any) -> Any:
        """Return rows to fit on, and those to stop by."""
        if not self.stops_by_:
            return super().get_split_datasets(X, y, **settings)
        return self.get_dataset(X, y), self.get_dataset(*self.stops_by_[0])

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        """Those that measure the loss; nothing is printed."""
        callbacks = [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
        ]
        if self.early_stopping_rounds:
            stopping = EarlyStopping(patience=self.early_stopping_rounds, load_best=True, sink=_nowhere)
            callbacks.append(("early_stopping", stopping))
        return callbacks

    def on_epoch_end(self, net: Any, **settings: Any) -> None:
        """Show how far it has come."""
        super().on_epoch_end(net, **settings)
        if self.shown_ is not None:
            self.shown_.update()

    def get_loss(self, y_pred: Any, y_true: Any, *args: Any, **settings: Any) -> Any:
        """
        Return the loss of a batch.

        Raises
        ------
        FitError
            The module's answers are of another shape, or the loss is no number.
        """
        shape = (len(y_true), self._width)
        if tuple(y_pred.shape) != shape and not (self._width == 1 and tuple(y_pred.shape) == shape[:1]):
            raise FitError(
                f"{self._name} answers {len(y_true)} rows with a tensor of shape {tuple(y_pred.shape)}; expected {shape}, "
                f"which a parameter called output_dim would tell it"
            )
        loss = super().get_loss(y_pred.reshape(shape), y_true, *args, **settings)
        if not torch.isfinite(loss):
            raise FitError(
                f"the loss of {self._name} is {loss.item()} after {len(self.history)} epochs; "
                f"set estimator.parameters.lr lower, or another optimizer, criterion or scale of the features"
            )
        return loss

    def export(self, X: Any) -> Export:
        """
        Return the network as it will be served, once its graph was seen to answer as torch does.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n_samples, n_features)

        Raises
        ------
        FitError
            It can't be exported, or the graph answers otherwise.
        """
        served = self._served(graph_of(self.module_, self.n_features_in_, softmax=self._softmax))
        method = "predict_proba" if hasattr(served, "predict_proba") else "predict"
        record = compared(self._name, getattr(self, method), getattr(served, method), as_float32(X))
        saved = checkpoint(self.module_, parameters=self.parameters_, softmax=self._softmax, **self._meaning)
        return Export(served, saved, record)

    @property
    def _name(self) -> str:
        return str(self.module.__name__)

    @property
    def _width(self) -> int:
        """How many numbers answer a row."""
        return 1

    @property
    def _softmax(self) -> bool:
        """Whether probabilities are the softmax of what the module answers."""
        return False

    @property
    def _meaning(self) -> Mapping[str, Any]:
        """What the answers stand for."""
        return {}

    def _learn(self, y: Any) -> None:
        """Learn the labels; numbers have none."""

    def _coded(self, y: Any) -> npt.NDArray[Any]:
        return np.asarray(y, dtype=np.float32).reshape(-1, 1)

    def _served(self, graph: Graph) -> Any:
        return NetworkRegressor(graph)


class NeuralNetClassifier(_Network, skorch.NeuralNetClassifier):  # type: ignore[misc]  # likewise
    """
    skorch's classifier, for labels of any type.

    Parameters
    ----------
    module : class
        Of a ``torch.nn.Module`` that answers (n_samples, n_features) with (n_samples, n_classes).
    random_state : int, optional
        Decides first weights, dropout and the order of the rows.
    early_stopping_rounds : int, optional
        Epochs without a lower loss of the rows to stop by, after which the best weights are kept.
    **settings
        skorch's; nothing is printed, and all rows are fitted on, unless they say otherwise.
    """

    def _learn(self, y: Any) -> None:
        self.labels_ = LabelEncoder().fit(y)

    def _coded(self, y: Any) -> npt.NDArray[Any]:
        return np.asarray(self.labels_.transform(y), dtype=np.int64)

    @property
    def classes_(self) -> Any:
        """Labels, in the order of the columns of ``predict_proba``."""
        return self.labels_.classes_

    @property
    def _width(self) -> int:
        return len(self.classes_)

    def _improbable(self) -> FitError:
        return FitError(
            f"the answers of {self._name} are no probabilities; end it in a softmax, or let "
            f"estimator.parameters.criterion be torch.nn.CrossEntropyLoss, which takes scores"
        )

    def fit(self, X: Any, y: Any, eval_set: Any = None) -> Self:
        """Fit the network, and see that its answers are probabilities."""
        super().fit(X, y, eval_set)
        probabilities = self.predict_proba(X[:_ROWS])
        if not _are_probabilities(probabilities):
            raise self._improbable()
        return self

    def get_loss(self, y_pred: Any, y_true: Any, *args: Any, **settings: Any) -> Any:
        """Return the loss of a batch; see the base."""
        # It takes the logarithm of what it is given, which is not a number of most scores.
        if isinstance(self.criterion_, torch.nn.NLLLoss) and not _are_probabilities(y_pred.detach().cpu().numpy()):
            raise self._improbable()
        return super().get_loss(y_pred, y_true, *args, **settings)

    def predict_proba(self, X: Any) -> npt.NDArray[np.float32]:
        """Return probabilities, of shape (n_samples, n_classes)."""
        found: npt.NDArray[np.float32] = super().predict_proba(as_float32(X))
        return found

    def predict(self, X: Any) -> Any:
        """Return the likeliest label of each row."""
        return self.classes_.take(self.predict_proba(X).argmax(axis=1))

    def _served(self, graph: Graph) -> Any:
        return NetworkClassifier(graph, self.classes_)

    @property
    def _softmax(self) -> bool:
        """Whether probabilities are the softmax of what the module answers, as skorch tells by the criterion."""
        return self.predict_nonlinearity == "auto" and isinstance(self.criterion_, torch.nn.CrossEntropyLoss)

    @property
    def _meaning(self) -> Mapping[str, Any]:
        return {"classes": self.classes_.tolist()}


class NeuralNetRegressor(_Network, skorch.NeuralNetRegressor):  # type: ignore[misc]  # likewise
    """
    skorch's regressor, of one number.

    Parameters
    ----------
    module : class
        Of a ``torch.nn.Module`` that answers (n_samples, n_features) with (n_samples, 1) or (n_samples,).
    random_state, early_stopping_rounds, **settings
        As of the classifier.
    """

    def predict(self, X: Any) -> npt.NDArray[np.float32]:
        """Return values, of shape (n_samples,)."""
        found: npt.NDArray[np.float32] = super().predict(as_float32(X)).reshape(-1)
        return found


_KINDS: Final = {skorch.NeuralNetClassifier: NeuralNetClassifier, skorch.NeuralNetRegressor: NeuralNetRegressor}


def build(found: type, parameters: Mapping[str, Any]) -> Any:
    """
    Make the estimator of a class of skorch's, not yet fitted.

    Parameters
    ----------
    found : class
        Of skorch's.
    parameters : mapping
        Its own; module, criterion and optimizer are import paths.

    Raises
    ------
    ConfigurationError
        It is none of those that can be served, or lacks a module, or something else can't be had.
    """
    if found not in _KINDS:
        raise ConfigurationError(
            f"estimator.class is skorch's {found.__name__}; expected skorch.NeuralNetClassifier, of two classes as of more, "
            f"or skorch.NeuralNetRegressor"
        )
    if "module" not in parameters:
        raise ConfigurationError(
            "estimator.parameters lack module; expected the import path of a torch.nn.Module, such as networks.Wide of a "
            "file networks.py in --code_dir"
        )
    return _KINDS[found](**classes(parameters, "estimator.parameters"))


@contextmanager
def _repeatable(seed: int | None) -> Iterator[None]:
    """Let torch draw the same numbers and add up in the same order each time, and leave its own state as it was."""
    before = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True, warn_only=True)  # noqa: FBT003 -- torch's own signature
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before)


def _are_probabilities(answers: npt.NDArray[Any]) -> bool:
    return bool((answers >= 0).all() and (np.abs(answers.sum(axis=1) - 1) <= _SUM).all())


def _nowhere(_: str) -> None:
    """Print nothing."""
