"""A loaded artifact as a server runs it, for whoever wants its answers or its speed without a server."""

import pandas as pd

from model.artifact.loading import Artifact
from model.artifact.sampling import to_tensors
from model.signature.outputs import encode, methods_of
from model.tensors import InferRequest, Tensor


class Served:
    """
    A loaded artifact behind what makes tables of requests and tensors of answers.

    Parameters
    ----------
    artifact : Artifact
        Of an estimator; a network's tensors are no rows of a frame.

    Attributes
    ----------
    engine : Engine
        What the server would run.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._signature = artifact.signature
        self._inputs, self.engine = artifact.engine()

    def request(self, rows: pd.DataFrame) -> InferRequest:
        """Return rows of shape (n_samples, n_features) as a client sends them."""
        frame = rows[list(self._signature.names)] if self._signature.named else rows
        return InferRequest("", "", to_tensors(self._signature, frame.reset_index(drop=True)))

    def answer(self, request: InferRequest) -> list[Tensor]:
        """Return what a request is answered that asks for the default output."""
        outputs = self._signature.outputs[:1]
        return encode(outputs, self.engine.run(self._inputs.decode(request), methods_of(outputs)))
