"""What travels between front-ends, codecs and data plane: tensors, and the requests and answers made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from model.datatypes import Datatype

Parameters = dict[str, str | int | float | bool]


@dataclass(slots=True)
class Tensor:
    """
    A named tensor whose values have been checked against its datatype, but against no model.

    Parameters
    ----------
    name : str
    datatype : Datatype
        As the client declared it.
    data : ndarray
        Values in the declared shape, of ``NUMPY_DTYPES[datatype]``. ``BYTES`` are ``str``. Where JSON held a
        ``null``, it is NaN in floats; in integers too, which then are float64; and ``None`` in an object array for
        ``BOOL`` and ``BYTES``.
    parameters : dict
        Of this tensor, as sent.

    References
    ----------
    Open Inference Protocol v2, "Request Input" and "Response Output".
    """

    name: str
    datatype: Datatype
    data: npt.NDArray[Any]
    parameters: Parameters = field(default_factory=dict)


@dataclass(slots=True)
class RequestedOutput:
    """An output the client asks for by name, with parameters such as ``binary_data``."""

    name: str
    parameters: Parameters = field(default_factory=dict)


@dataclass(slots=True)
class InferRequest:
    """
    An inference request in either protocol.

    Parameters
    ----------
    model_name : str
        Empty means the server's default model.
    model_version : str
        Empty means that the server chooses.
    inputs : sequence of Tensor
    outputs : sequence of RequestedOutput
        Empty means the model's default output.
    id : str
        Echoed; empty when the client gave none.
    parameters : dict
        Of the request, as sent.
    """

    model_name: str
    model_version: str
    inputs: Sequence[Tensor]
    outputs: Sequence[RequestedOutput] = ()
    id: str = ""
    parameters: Parameters = field(default_factory=dict)


@dataclass(slots=True)
class InferResponse:
    """
    The answer to an ``InferRequest``.

    Parameters
    ----------
    model_name : str
    model_version : str
        Empty for a model without versions; then it is left out of the answer.
    outputs : sequence of Tensor
        Numeric data are C-contiguous and of ``NUMPY_DTYPES[datatype]``; ``BYTES`` are ``str`` in an object array.
    id : str
        The request's; left out of the answer when empty.
    """

    model_name: str
    model_version: str
    outputs: Sequence[Tensor]
    id: str = ""
