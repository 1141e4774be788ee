"""What a manifest says about the engine of a version."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from model.signature.schema import Scalar

EngineName = Literal["sklearn", "onnx", "treelite"]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parity(_Part):
    """
    How an engine was held against scikit-learn.

    Parameters
    ----------
    rows : dict of str to int
        Rows answered by both, by where they came from.
    left : int
        Rows besides that the engine leaves to scikit-learn.
    differences : dict of str to float
        The largest difference of each method's answers, relative to values over 1; 0 of labels, which had to be equal.
    rtol, atol : float
        Tolerances of values.
    seconds : float
        That this took.
    sklearn_microseconds, engine_microseconds : float
        For one row, on the machine that published it.
    """

    rows: dict[str, Count]
    left: Count
    differences: dict[str, FiniteFloat]
    rtol: FiniteFloat
    atol: FiniteFloat
    seconds: FiniteFloat
    sklearn_microseconds: FiniteFloat
    engine_microseconds: FiniteFloat


class EngineRecord(_Part):
    """
    The engine of a version, and why it is no faster one.

    Parameters
    ----------
    name : {"sklearn", "onnx", "treelite"}
    file : str or None
        What it runs, one of the manifest's files; None for scikit-learn.
    methods : tuple of str
        That it answers; scikit-learn answers the others.
    from_step : int
        Of a pipeline, the first step that it stands for.
    known : dict of str to tuple
        Values of the columns that are no numbers; what is not among them goes to scikit-learn.
    made_with : dict of str to str
        Versions of what made the file.
    refused : dict of str to str
        Why another engine, or a method, was refused, by its name.
    parity : Parity or None
    """

    name: EngineName
    file: str | None = None
    methods: tuple[str, ...] = ()
    from_step: Count = 0
    known: dict[str, tuple[Scalar | None, ...]] = {}
    made_with: dict[str, str] = {}
    refused: dict[str, str] = {}
    parity: Parity | None = None
