"""Where versions are made known beside the registry."""

from typing import Annotated, Final

from pydantic import Field, field_validator

from training.config.section import Section, check_without_credentials

USER_ELSEWHERE: Final = "they belong in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"


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

    @field_validator("mlflow")
    @classmethod
    def _without_credentials(cls, mlflow: str | None) -> str | None:
        if mlflow is not None:
            check_without_credentials(mlflow, f": {USER_ELSEWHERE}")
        return mlflow


__all__ = ["USER_ELSEWHERE", "Tracking"]
