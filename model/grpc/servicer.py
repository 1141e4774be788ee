"""The service ``inference.GRPCInferenceService``: each method turns a message into a call of the data plane and back."""

from typing import Final

from model.call import Call
from model.dataplane import DataPlane
from model.errors import InvalidInput
from model.grpc import open_inference_pb2 as pb
from model.grpc.codec import decode_request, encode_response, is_raw
from model.grpc.rpc import unary
from model.grpc.stream import Method
from model.metrics import ModelStatistics
from model.repository import ModelState
from model.signature import Signature
from model.tensors import InferRequest, InferResponse

SERVICE: Final[str] = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name

_TensorMetadata = pb.ModelMetadataResponse.TensorMetadata
_DURATIONS: Final = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")


class InferenceServicer:
    """
    The methods of the protocol and of its extensions ``model_repository`` and ``statistics``.

    Parameters
    ----------
    dataplane : DataPlane

    References
    ----------
    Open Inference Protocol v2, "gRPC"; Triton's extensions "Model Repository" and "Statistics".
    """

    def __init__(self, dataplane: DataPlane) -> None:
        self._dataplane = dataplane

    def methods(self) -> dict[str, Method]:
        """Give what answers, by the method's name. Probes need no credentials, the rest does."""
        authorize = self._dataplane.authorize
        return {
            "ServerLive": unary(self.server_live, pb.ServerLiveRequest),
            "ServerReady": unary(self.server_ready, pb.ServerReadyRequest),
            "ModelReady": unary(self.model_ready, pb.ModelReadyRequest),
            "ServerMetadata": unary(self.server_metadata, pb.ServerMetadataRequest, authorize),
            "ModelMetadata": unary(self.model_metadata, pb.ModelMetadataRequest, authorize),
            "ModelInfer": unary(self.model_infer, pb.ModelInferRequest, authorize),
            "ModelStatistics": unary(self.model_statistics, pb.ModelStatisticsRequest, authorize),
            "RepositoryIndex": unary(self.repository_index, pb.RepositoryIndexRequest, authorize),
            "RepositoryModelLoad": unary(self.load, pb.RepositoryModelLoadRequest, authorize),
            "RepositoryModelUnload": unary(self.unload, pb.RepositoryModelUnloadRequest, authorize),
        }

    async def server_live(self, _: pb.ServerLiveRequest, __: Call) -> pb.ServerLiveResponse:
        """Tell whether the process answers."""
        return pb.ServerLiveResponse(live=self._dataplane.live())

    async def server_ready(self, _: pb.ServerReadyRequest, __: Call) -> pb.ServerReadyResponse:
        """Tell whether every model can answer."""
        return pb.ServerReadyResponse(ready=self._dataplane.ready())

    async def model_ready(self, request: pb.ModelReadyRequest, _: Call) -> pb.ModelReadyResponse:
        """Tell whether one model can answer."""
        return pb.ModelReadyResponse(ready=self._dataplane.model_ready(request.name, request.version))

    async def server_metadata(self, _: pb.ServerMetadataRequest, __: Call) -> pb.ServerMetadataResponse:
        """Name the server and its extensions."""
        metadata = self._dataplane.server_metadata()
        return pb.ServerMetadataResponse(name=metadata.name, version=metadata.version, extensions=metadata.extensions)

    async def model_metadata(self, request: pb.ModelMetadataRequest, call: Call) -> pb.ModelMetadataResponse:
        """Describe a model's inputs and outputs."""
        metadata = self._dataplane.model_metadata(call.client, request.name, request.version)
        return pb.ModelMetadataResponse(
            name=metadata.name,
            versions=metadata.versions,
            platform=metadata.platform,
            inputs=[_TensorMetadata(name=t.name, datatype=t.datatype, shape=t.shape) for t in metadata.inputs],
            outputs=[_TensorMetadata(name=t.name, datatype=t.datatype, shape=t.shape) for t in metadata.outputs],
        )

    async def model_infer(self, request: pb.ModelInferRequest, call: Call) -> pb.ModelInferResponse:
        """Run a model."""

        def decode(_: Signature) -> InferRequest:
            return decode_request(request)

        def encode(_: InferRequest, response: InferResponse) -> pb.ModelInferResponse:
            return encode_response(response, raw=is_raw(request))

        return await self._dataplane.infer(request.model_name, request.model_version, decode, encode, call)

    async def model_statistics(self, request: pb.ModelStatisticsRequest, call: Call) -> pb.ModelStatisticsResponse:
        """Give what was counted for one model, or for all."""
        statistics = await self._dataplane.statistics(call.client, request.name, request.version)
        return pb.ModelStatisticsResponse(model_stats=[_statistics(model) for model in statistics])

    async def repository_index(self, request: pb.RepositoryIndexRequest, call: Call) -> pb.RepositoryIndexResponse:
        """List the versions of every model with their states."""
        _refuse_repository(request.repository_name)
        states = self._dataplane.repository_index(call.client, ready_only=request.ready)
        return pb.RepositoryIndexResponse(models=[_model_index(state) for state in states])

    async def load(self, request: pb.RepositoryModelLoadRequest, call: Call) -> pb.RepositoryModelLoadResponse:
        """Load a model, where the operator allows it."""
        name = _model_name(request)
        if request.parameters:
            raise InvalidInput("A model is loaded as its artifact describes it; send no parameters with a load.")
        await self._dataplane.load(call.client, name)
        return pb.RepositoryModelLoadResponse(model_name=name, is_loaded=True)

    async def unload(self, request: pb.RepositoryModelUnloadRequest, call: Call) -> pb.RepositoryModelUnloadResponse:
        """Unload a model, where the operator allows it. Triton's `unload_dependents` is moot: nothing depends here."""
        name = _model_name(request)
        await self._dataplane.unload(call.client, name)
        return pb.RepositoryModelUnloadResponse(model_name=name, is_unloaded=True)


def _model_name(request: pb.RepositoryModelLoadRequest | pb.RepositoryModelUnloadRequest) -> str:
    if not request.model_name:  # KServe's clients write the model's name into Triton's field for the repository's
        return request.repository_name
    _refuse_repository(request.repository_name)
    return request.model_name


def _refuse_repository(name: str) -> None:
    if name:
        raise InvalidInput("There is one repository here, and it has no name; leave repository_name empty.")


def _model_index(state: ModelState) -> pb.RepositoryIndexResponse.ModelIndex:
    return pb.RepositoryIndexResponse.ModelIndex(
        name=state.name, version=state.version, state=state.state, reason=state.reason
    )


def _statistics(model: ModelStatistics) -> pb.ModelStatistics:
    durations = {name: getattr(model, name) for name in _DURATIONS}
    return pb.ModelStatistics(
        name=model.name,
        version=model.version,
        last_inference=model.last_inference_ms,
        inference_count=model.inference_count,
        execution_count=model.execution_count,
        inference_stats=pb.InferStatistics(
            **{name: pb.StatisticDuration(count=d.count, ns=d.ns) for name, d in durations.items()}
        ),
    )
