"""
The one data plane under both protocols: all that either can ask.

A front-end brings the bytes and the two functions that read and write them; all the rest of a request's way, its
counting and its errors, is the same for REST and gRPC.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, Never, TypeVar

from model import __version__
from model.access import Access
from model.call import Call
from model.changes import Changes
from model.codec.wording import shown
from model.errors import NotFound, NotReady, ServingError
from model.inference import Inference
from model.keys import Client
from model.metadata import ModelMetadata, ServerMetadata, model_metadata
from model.metrics import Metrics, ModelStatistics
from model.repository import ModelRepository, ModelState, State
from model.servable import Servable
from model.settings import Settings
from model.signature import Signature
from model.tensors import InferRequest, InferResponse
from model.workers.group import Alone, Group

SERVER_NAME: Final = "sklearn-kserve"
EXTENSIONS: Final = ("binary_tensor_data", "model_repository", "statistics")

T = TypeVar("T")


class DataPlane:
    """
    Answers what both protocols can ask.

    Parameters
    ----------
    repository : ModelRepository
    metrics : Metrics
    settings : Settings
    executor : Executor
        Runs what may not hold the event loop.
    loader : Executor
        Loads and unloads, in a single thread: one after the other, and while requests go on.
    group : Group or None
        The processes that answer on the same ports; None where this one serves alone.

    Attributes
    ----------
    changes : Changes
        Loading and unloading, of whoever may.
    draining : bool
        The process is about to stop: not ready, but still answering.
    """

    def __init__(
        self,
        repository: ModelRepository,
        metrics: Metrics,
        settings: Settings,
        executor: Executor,
        loader: Executor,
        *,
        group: Group | None = None,
    ) -> None:
        self._repository = repository
        self._metrics = metrics
        self._group = group or Alone()
        self.changes = Changes(repository, loader, self._group)
        self._inference = Inference(metrics, settings, executor)
        self._access = Access(repository, metrics, settings)
        self.draining = False

    async def infer(
        self,
        model_name: str,
        model_version: str,
        decode: Callable[[Signature], InferRequest],
        encode: Callable[[InferRequest, InferResponse], T],
        call: Call,
    ) -> T:
        """
        Answer an inference request.

        Parameters
        ----------
        model_name, model_version : str
            As the client named them. An empty name means the default model, an empty version that the server chooses.
        decode : callable
            Reads the body, for what has this signature: that of the version which answers, whatever is swapped meanwhile.
        encode : callable
            Writes the answer to a request.
        call : Call

        Raises
        ------
        ServingError
            One of its kinds; see ``model.errors``.
        """

        def select() -> Servable:
            name = model_name or self.default_model(call.client)
            self._access.check(call.client, name)
            return self._repository.select(name, model_version)

        return await self._inference.answer(select, decode, encode, call)

    @property
    def full(self) -> bool:
        """Whether an inference request would be refused, whatever its body says."""
        return self._inference.admission.full

    async def refuse(self, model_name: str, model_version: str, call: Call) -> None:
        """
        Refuse an inference request whose body has not been read, as `infer` would if it had; for when it is `full`.

        Raises
        ------
        Overloaded
        NotFound, NotReady
            There is no such model, which matters more.
        """
        await self.infer(model_name, model_version, _unread, _unread, call)

    def default_model(self, client: Client) -> str:
        """
        Return the model that a client's requests without a model name are for.

        Raises
        ------
        InvalidInput
            It may use several, and none is the default.
        """
        return self._access.default_model(client)

    def permit(self, client: Client, name: str) -> None:
        """
        Let a client learn of a model, or count that it may not.

        Raises
        ------
        PermissionDenied
            Its key is not for this model, whether that exists or not.
        NotFound
        """
        self._access.permit(client, name)

    def live(self) -> bool:
        """Whether the event loop turns: it does, if this is called at all."""
        return True

    def ready(self) -> bool:
        """Whether every model answers, in every worker, and the server is not about to stop."""
        return not self.draining and self._repository.all_ready() and self._group.ready()

    def model_ready(self, name: str, version: str = "") -> bool:
        """
        Whether a model, or one version of it, answers; for probes, which bring no key.

        Raises
        ------
        NotFound
        """
        if name not in self._repository:
            raise NotFound(f"Model {shown(name)} is unknown.")
        try:
            ready = self._repository.ready(name, version)
        except NotFound:
            raise NotFound(f"Model {name!r} has no version {shown(version)}.") from None
        return ready and not self.draining and self._group.model_ready(name)

    def server_metadata(self) -> ServerMetadata:
        """Describe the server."""
        return ServerMetadata(SERVER_NAME, __version__, EXTENSIONS)

    def model_metadata(self, client: Client, name: str, version: str = "") -> ModelMetadata:
        """
        Describe a model.

        Raises
        ------
        PermissionDenied, NotFound, NotReady
        """
        self._access.permit(client, name)
        servable = self._repository.select(name, version)
        versions = tuple(other.version for other in self._repository.servables(name) if other.version)
        return model_metadata(servable, versions)

    def signature(self, client: Client, name: str, version: str = "") -> Signature:
        """
        Return a model's signature.

        Raises
        ------
        PermissionDenied, NotFound, NotReady
        """
        self._access.permit(client, name)
        return self._repository.select(name, version).signature

    def models(self, client: Client) -> list[tuple[str, str]]:
        """Return name and version of all that answer a client."""
        return [
            (servable.name, servable.version)
            for servable in self._repository.servables()
            if client.may_use(servable.name)
        ]

    def repository_index(self, client: Client, *, ready_only: bool = False) -> list[ModelState]:
        """Return the state of every version of every model that a client may use."""
        states = [state for state in self._repository.index() if client.may_use(state.name)]
        return [state for state in states if not ready_only or state.state is State.READY]

    async def load(self, client: Client, name: str) -> None:
        """
        Load a model's versions anew.

        Raises
        ------
        PermissionDenied
            The operator has not turned this on, or the client is no admin of this model.
        NotFound
        NotReady
            No version of it could be loaded; those that answered before go on.
        """
        self._access.permit_change(client, name)
        if not await self.changes.everywhere("load", name):
            raise NotReady(f"No version of model {name!r} could be loaded; the repository index has the reasons.")

    async def unload(self, client: Client, name: str) -> None:
        """
        Let a model answer no longer.

        Raises
        ------
        PermissionDenied
            The operator has not turned this on, or the client is no admin of this model.
        NotFound
        """
        self._access.permit_change(client, name)
        await self.changes.everywhere("unload", name)

    async def statistics(self, client: Client, name: str = "", version: str = "") -> list[ModelStatistics]:
        """
        Return counts and durations of the versions that answer a client.

        Raises
        ------
        PermissionDenied, NotFound, NotReady
        """
        if name or version:
            self._access.permit(client, name)
        servables = [self._repository.select(name, version)] if version else self._repository.servables(name)
        total = await self._group.total()
        return [
            self._metrics.statistics(each.name, each.version, total) for each in servables if client.may_use(each.name)
        ]

    async def metrics_page(self, client: Client, accept: str | None) -> tuple[bytes, str]:
        """
        Return the metrics and their content type, by what the scraper accepts.

        Raises
        ------
        PermissionDenied
            The client's key is not for all models, which the metrics tell of.
        NotReady
            What the other workers have counted can't be had.
        """
        self._access.permit_all(client)
        return self._metrics.page(accept, await self._group.total())

    def authorize(self, credentials: str | None) -> Client:
        """
        Return who asks, by the value of an ``Authorization`` header, or count that it is refused.

        Raises
        ------
        Unauthenticated
        """
        return self._access.authorize(credentials)

    def refused(self, error: ServingError) -> None:
        """Count a request that was turned away."""
        self._metrics.rejected(error)


def _unread(*_: object) -> Never:
    raise NotImplementedError  # Where there is no room, nothing is decoded.
