"""Which estimator is fitted."""

from typing import Annotated

from pydantic import Field, JsonValue

from training.config.section import Section


class EstimatorChoice(Section):
    """
    Which estimator is fitted.

    Parameters
    ----------
    class_ : str
        Import path of a class of an installed package; ``class`` in the file.
    parameters : mapping
        Keyword arguments of that class.
    """

    class_: Annotated[str, Field(alias="class")]
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
