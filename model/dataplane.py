"""
The one data plane under both protocols: all that either can ask.

A front-end brings the bytes and the two functions that read and write them; all the rest of a request's way, its
counting and its errors, is the same for REST and gRPC.
"""

import hmac
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeVar

import structlog

from model import __version__
from model.call import Call
from model.errors import InvalidInput, NotReady, PermissionDenied, ServingError, Unauthenticated
from model.inference import Inference
from model.metadata import ModelMetadata, ServerMetadata, model_metadata
from model.metrics import Metrics, ModelStatistics
from model.queue import in_thread
from model.repository import ModelRepository, ModelState, State
from model.servable import Servable
from model.settings import Settings
from model.signature import Signature
from model.tensors import InferRequest, InferResponse

SERVER_NAME: Final = "sklearn-kserve"
EXTENSIONS: Final = ("binary_tensor_data", "model_repository", "statistics")

T = TypeVar("T")
_log = structlog.get_logger(__name__)


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

    Attributes
    ----------
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
    ) -> None:
        self._repository = repository
        self._metrics = metrics
        self._settings = settings
        self._loader = loader
        self._inference = Inference(metrics, settings, executor)
        self._credentials = f"Bearer {settings.key}".encode() if settings.key else None
        self.draining = False

    async def infer(
        self,
        model_name: str,
        model_version: str,
        decode: Callable[[], InferRequest],
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
            Reads the body.
        encode : callable
            Writes the answer to a request.
        call : Call

        Raises
        ------
        ServingError
            One of its kinds; see ``model.errors``.
        """
        return await self._inference.answer(lambda: self.select(model_name, model_version), decode, encode, call)

    def select(self, model_name: str, model_version: str = "") -> Servable:
        """
        Return what answers a request.

        Raises
        ------
        NotFound, NotReady
        InvalidInput
            No model is named, and there is no default one.
        """
        return self._repository.select(model_name or self.default_model(), model_version)

    def default_model(self) -> str:
        """
        Return the model that requests without a model name are for.

        Raises
        ------
        InvalidInput
            There are several, and none is the default.
        """
        if self._settings.default_model:
            return self._settings.default_model
        names = list(self._repository)
        if len(names) == 1:
            return names[0]
        listed = ", ".join(names) or "none"
        raise InvalidInput(f"No model is named and there is no default one; expected one of {listed}.")

    def live(self) -> bool:
        """Whether the event loop turns: it does, if this is called at all."""
        return True

    def ready(self) -> bool:
        """Whether every model answers and the server is not about to stop."""
        return not self.draining and self._repository.all_ready()

    def model_ready(self, name: str, version: str = "") -> bool:
        """
        Whether a model, or one version of it, answers.

        Raises
        ------
        NotFound
        """
        return self._repository.ready(name, version) and not self.draining

    def server_metadata(self) -> ServerMetadata:
        """Describe the server."""
        return ServerMetadata(SERVER_NAME, __version__, EXTENSIONS)

    def model_metadata(self, name: str, version: str = "") -> ModelMetadata:
        """
        Describe a model.

        Raises
        ------
        NotFound, NotReady
        """
        servable = self._repository.select(name, version)
        versions = tuple(other.version for other in self._repository.servables(name) if other.version)
        return model_metadata(servable, versions)

    def signature(self, name: str, version: str = "") -> Signature:
        """
        Return a model's signature.

        Raises
        ------
        NotFound, NotReady
        """
        return self._repository.select(name, version).signature

    def models(self) -> list[tuple[str, str]]:
        """Return name and version of all that answer."""
        return [(servable.name, servable.version) for servable in self._repository.servables()]

    def repository_index(self, *, ready_only: bool = False) -> list[ModelState]:
        """Return the state of every version of every model."""
        return [state for state in self._repository.index() if not ready_only or state.state is State.READY]

    async def load(self, name: str) -> None:
        """
        Load a model's versions anew.

        Raises
        ------
        PermissionDenied
            The operator has not turned this on.
        NotFound
        NotReady
            No version of it could be loaded; those that answered before go on.
        """
        self._check_repository_api()
        if not await self._changed(name, self._repository.load):
            raise NotReady(f"No version of model {name!r} could be loaded; the repository index has the reasons.")

    async def unload(self, name: str) -> None:
        """
        Let a model answer no longer.

        Raises
        ------
        PermissionDenied
            The operator has not turned this on.
        NotFound
        """
        self._check_repository_api()
        await self._changed(name, self._repository.unload)

    def statistics(self, name: str = "", version: str = "") -> list[ModelStatistics]:
        """
        Return counts and durations of the versions that answer.

        Raises
        ------
        NotFound, NotReady
        """
        servables = [self._repository.select(name, version)] if version else self._repository.servables(name)
        return [self._metrics.statistics(servable.name, servable.version) for servable in servables]

    def metrics_page(self, accept: str | None) -> tuple[bytes, str]:
        """Return the metrics and their content type, by what the scraper accepts."""
        return self._metrics.page(accept)

    def authorize(self, credentials: str | None) -> None:
        """
        Check the value of an ``Authorization`` header, and count it if it is refused.

        Raises
        ------
        Unauthenticated
        """
        if self._credentials is None:
            return
        scheme, _, key = (credentials or "").partition(" ")
        if not hmac.compare_digest(f"{scheme.capitalize()} {key.strip()}".encode(), self._credentials):
            got = "a wrong key" if credentials else "no credentials"
            error = Unauthenticated(f"The request has {got}; expected the header Authorization: Bearer <key>.")
            self.refused(error)
            raise error

    def refused(self, error: ServingError) -> None:
        """Count a request that was turned away."""
        self._metrics.rejected(error)

    async def _changed(self, name: str, change: Callable[[str], T]) -> T:
        """Load or unload, and drop the metrics of the versions that answer no longer."""

        def changed() -> T:
            before = self._repository.servables(name)
            done = change(name)
            left = {servable.version for servable in self._repository.servables(name)}
            for servable in before:
                if servable.version not in left:
                    self._metrics.remove(name, servable.version)
            return done

        return await in_thread(self._loader, changed)

    def _check_repository_api(self) -> None:
        if not self._settings.enable_repository_api:
            error = PermissionDenied("Loading and unloading are off; expected --enable_repository_api of the operator.")
            self.refused(error)
            raise error
