"""Where versions are made known beside the registry."""

from typing import Annotated

from pydantic import Field

from training.config.section import Section


class Tracking(Section):
    """
    An MLflow that is told of every version.

    Parameters
    ----------
    mlflow : str or None
        Tracking URI of the server, such as ``http://mlflow:5000``; None for none.
    experiment : str or None
        None: the name of the model.
    required : bool
        Whether a command fails where MLflow can't be told; else it warns. The version stays published in either case.
    """

    mlflow: Annotated[str | None, Field(min_length=1)] = None
    experiment: Annotated[str | None, Field(min_length=1)] = None
    required: Annotated[bool, Field(strict=True)] = False


__all__ = ["Tracking"]
