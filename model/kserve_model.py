"""The model as KServe's own model server takes it; our server (``model.server``) does without."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, TypeAlias

import kserve
import numpy as np
import orjson
from kserve import errors as sdk_errors
from kserve.protocol.infer_type import InferInput, InferOutput, to_http_parameters
from kserve.utils.utils import generate_uuid

from model.artifact import LoadPolicy, read_keys
from model.codec import v1
from model.codec.binary import decode_raw
from model.codec.json_tensor import read_header, tensor_from_json
from model.errors import InvalidInput, ServingError
from model.metadata import TensorMetadata, model_metadata
from model.servable import Servable, load_servable
from model.signature.outputs import encode
from model.tensors import InferRequest, InferResponse, RequestedOutput, Tensor

Payload: TypeAlias = dict[str, Any] | bytes | kserve.InferRequest
"""What the SDK decodes a request to: the V1 body, as it came where it is not declared as JSON; or a V2 request."""
Answer: TypeAlias = dict[str, Any] | kserve.InferResponse
Headers: TypeAlias = Mapping[str, str] | None

_PREDICT_PROBA: Final = "PREDICT_PROBA"


class SklearnModel(kserve.Model):  # type: ignore[misc]  # kserve ships no types
    """
    A scikit-learn artifact as a ``kserve.Model``.

    ``preprocess`` and ``postprocess`` are there to be overridden, as in any ``kserve.Model``: they get the request and
    the answer as the SDK decodes them, a dict in V1, an ``InferRequest`` and an ``InferResponse`` in V2.

    Parameters
    ----------
    name : str
    model_dir : str or Path
        One artifact: a published version, a sklearnserver directory or an MLflow model.
    require_manifest : bool
        Refuse an artifact that no manifest vouches for.
    verify_keys : sequence of Path
        PEM files of public keys; refuse an artifact that none of these has signed.
    predict_proba : bool, optional
        Answer with ``predict_proba`` where a request names no output. By default the variable ``PREDICT_PROBA``
        tells, as it does for KServe's sklearnserver.

    Examples
    --------
    >>> from kserve import ModelServer
    >>> from model.kserve_model import SklearnModel
    >>> model = SklearnModel("penguins", "/mnt/models")
    >>> model.load()  # doctest: +SKIP
    True
    >>> ModelServer().start([model])  # doctest: +SKIP
    """

    def __init__(
        self,
        name: str,
        model_dir: str | Path = "/mnt/models",
        *,
        require_manifest: bool = False,
        verify_keys: Sequence[Path] = (),
        predict_proba: bool | None = None,
    ) -> None:
        super().__init__(name)
        if predict_proba is None:
            predict_proba = os.environ.get(_PREDICT_PROBA, "").lower() == "true"
        self._directory = Path(model_dir)
        self._policy = LoadPolicy(require_manifest=require_manifest, keys=read_keys(verify_keys))
        self._default_output = "predict_proba" if predict_proba else None
        self._loaded: Servable | None = None
        self._turn = asyncio.Lock()

    @property
    def servable(self) -> Servable:
        """
        What answers, once ``load`` has been called.

        Raises
        ------
        kserve.errors.ModelNotReady
            It has not been called.
        """
        if self._loaded is None:
            raise sdk_errors.ModelNotReady(self.name, "Call load() first.")
        return self._loaded

    def load(self) -> bool:
        """
        Load, verify and warm up the artifact.

        Raises
        ------
        ArtifactError
            It is refused, or does not answer its golden rows as recorded.
        """
        self._loaded = load_servable(self._directory, self.name, self._policy, default_output=self._default_output)
        self.ready = True
        return True

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is loaded: an engine does not go to another process, the directory of the artifact does."""
        return self.__dict__ | {"_loaded": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.ready:
            self.load()

    def get_input_types(self) -> list[dict[str, Any]]:
        """Describe the inputs, for the model's metadata."""
        return [_described(tensor) for tensor in model_metadata(self.servable, ()).inputs]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Describe the outputs, for the model's metadata."""
        return [_described(tensor) for tensor in model_metadata(self.servable, ()).outputs]

    async def predict(self, payload: Payload, headers: Headers = None) -> Answer:  # noqa: ARG002 -- the SDK's
        """
        Answer a request; in a thread, for the SDK would run a plain method on the event loop.

        Raises
        ------
        kserve.errors.InvalidInput
            The request is malformed or does not fit the model's signature.
        kserve.errors.InferenceError
            The model failed.
        """
        await self._turn.acquire()
        answering = asyncio.create_task(asyncio.to_thread(self._answer, payload))
        # The turn ends with the thread, which does not end when the client leaves.
        answering.add_done_callback(lambda _: self._turn.release())
        return await asyncio.shield(answering)

    def _answer(self, payload: Payload) -> Answer:
        try:
            request = _request(payload, self.servable)
            table = self.servable.inputs.decode(request)
            outputs = self.servable.outputs.select(request.outputs)
            tensors = encode(outputs, self.servable.run(table, outputs))
            return _encoded(payload, InferResponse(self.name, self.servable.version, tensors, request.id))
        except ServingError as error:
            clients = error.http_status is HTTPStatus.BAD_REQUEST
            raise (sdk_errors.InvalidInput if clients else sdk_errors.InferenceError)(str(error)) from error


def _request(payload: Payload, servable: Servable) -> InferRequest:
    if not isinstance(payload, kserve.InferRequest):
        # With numpy, because a preprocess step may have put its numbers there.
        body = payload if isinstance(payload, bytes) else orjson.dumps(payload, option=orjson.OPT_SERIALIZE_NUMPY)
        columns = servable.signature.names if servable.signature.named else ()
        return v1.decode_request(body, model_name=servable.name, columns=columns)
    return InferRequest(
        model_name=servable.name,
        model_version="",
        inputs=[_tensor(tensor, index) for index, tensor in enumerate(payload.inputs)],
        outputs=[RequestedOutput(output.name) for output in payload.request_outputs or ()],
        id=payload.id or "",
        parameters=to_http_parameters(payload.parameters or {}),
    )


def _tensor(tensor: InferInput, index: int) -> Tensor:
    item = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
    raw = tensor._raw_data  # noqa: SLF001 -- the SDK's as_numpy fails on bytes that do not fit, without saying why
    if raw is not None:
        name, datatype, parameters = read_header(item, index)
        return Tensor(name, datatype, decode_raw(name, datatype, item["shape"], raw), parameters)
    data = tensor.data.ravel().tolist() if isinstance(tensor.data, np.ndarray) else tensor.data
    return tensor_from_json(item | {"data": _text(tensor.name, data)}, index)


def _text(name: str, data: list[Any]) -> list[Any]:
    """Return the data with text as ``str``; the SDK gives it as bytes where it came over gRPC."""
    try:
        return [value.decode() if isinstance(value, bytes) else value for value in data]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"Input {name!r} holds bytes that are not UTF-8; BYTES takes text in UTF-8.") from error


def _encoded(payload: Payload, response: InferResponse) -> Answer:
    if not isinstance(payload, kserve.InferRequest):
        answer: dict[str, Any] = orjson.loads(v1.encode_response(response))
        return answer
    return kserve.InferResponse(
        response_id=response.id or generate_uuid(),  # the SDK's REST answers must have one
        model_name=response.model_name,
        model_version=response.model_version or None,
        infer_outputs=[_output(tensor) for tensor in response.outputs],
        use_binary_outputs=payload.use_binary_outputs,
        requested_outputs=payload.request_outputs,
    )


def _output(tensor: Tensor) -> InferOutput:
    # Lists, because the SDK answers arrays raw over gRPC even where the request was not.
    return InferOutput(tensor.name, list(tensor.data.shape), tensor.datatype.value, tensor.data.ravel().tolist())


def _described(tensor: TensorMetadata) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype.value, "shape": list(tensor.shape)}
