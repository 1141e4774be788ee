"""The version that steps have come to: the fitted estimator, and beside it where it comes from and how good it is."""

from functools import partial
from pathlib import Path

from model.artifact import publish
from training.card import CARD, Documents, card
from training.origin import Origin
from training.registry.description import MARK
from training.registry.root import Write
from training.steps.evaluate import DECISION, EVALUATION, read_evaluation
from training.steps.fit import CHECKPOINT, FITTED, read_fitted, read_parts
from training.steps.rows import Rows, count


def publication(name: str, origin: Origin, *, validated: Path, fitted: Path, evaluated: Path) -> Write:
    """
    Return what publishes a version, its model card included, below a local root.

    Parameters
    ----------
    name : str
        Of the model.
    origin : Origin
    validated, fitted, evaluated : Path
        Directories of the steps.
    """
    files = {
        MARK: origin.mark(count(validated)),
        FITTED: (fitted / FITTED).read_bytes(),
        **{file: (evaluated / file).read_bytes() for file in (EVALUATION, DECISION)},
    }
    checkpoint = {path.name: path.read_bytes() for path in fitted.glob(CHECKPOINT)}
    drawn = {path.name: path.read_bytes() for path in evaluated.glob("*.svg")}
    write = partial(
        publish,
        read_fitted(fitted),
        read_parts(fitted, Rows.read(validated)).X_train,
        name=name,
        metrics=read_evaluation(evaluated).metrics,
        extra_files={**files, **checkpoint, CARD: lambda manifest: card(Documents.of(manifest, files), drawn)},
    )
    return lambda root: write(root=root)


__all__ = ["publication"]
