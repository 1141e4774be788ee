"""The life of a serving process: listen, load, answer, drain, stop."""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import uvloop

from model import logs
from model.artifact import LoadPolicy, read_keys
from model.cpus import limit_threads, share
from model.dataplane import DataPlane
from model.errors import ArtifactError
from model.grpc.server import GrpcServer
from model.keys import ANYONE
from model.metrics import Metrics
from model.repository import ModelRepository
from model.rest.app import RestApp
from model.rest.server import RestServer
from model.servable import Servable, load_servable
from model.settings import Settings
from model.store import model_directories
from model.tls.certificates import Certificates
from model.watcher import Watcher
from model.workers.group import Action, Alone, Group
from model.workers.link import Link
from model.workers.snapshot import Snapshot

STOP_WITHIN_SECONDS: Final = 30
"""Time from the first signal to the end of the process, which Kubernetes grants by default."""
_THREADS_END_SECONDS: Final = 1.0
_STREAMS_PER_REQUEST: Final = 2
"""Streams of a gRPC connection for each request that may be in flight: the others are there to be refused."""

_log = structlog.get_logger(__name__)


def serve(settings: Settings, link: Link | None = None) -> int:
    """
    Serve until a signal says stop.

    Parameters
    ----------
    settings : Settings
    link : Link or None
        To the supervisor and the other workers; None where this process serves alone.

    Returns
    -------
    int
        Exit code: 0 after a drain, 1 if it could not start.
    """
    logs.configure(settings.log_level, worker=link.worker if link else None)
    # Models fitted on a frame are given an array where publishing has shown that both are answered alike.
    warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)
    if settings.ignored and (link is None or link.worker == 1):
        _log.warning("these flags have no meaning here and are ignored", flags=list(settings.ignored))
    if settings.code_dir is not None:
        sys.path.insert(0, str(settings.code_dir))
    try:
        server = Server(settings, link)
        uvloop.run(server.run())
    except ArtifactError as error:
        (link or Alone()).fail(str(error))
        return 1
    server.leave()
    return 0


class Server:
    """
    One serving process.

    Parameters
    ----------
    settings : Settings
    link : Link or None
        See ``serve``.

    Raises
    ------
    ArtifactError
        The model root is no directory, or a key can't be read.
    """

    def __init__(self, settings: Settings, link: Link | None = None) -> None:
        self._settings = settings
        self._group: Group = Alone() if link is None else link
        self._born = time.monotonic()
        self._stop = asyncio.Event()
        self._signal = 0
        self._metrics = Metrics()
        keys = read_keys(settings.verify_key)
        self._policy = LoadPolicy(settings.require_manifest, settings.skops_trusted, keys)
        self._executor, self._loader = _executors(settings)
        self._repository = self._new_repository()
        self._dataplane = DataPlane(
            self._repository, self._metrics, settings, self._executor, self._loader, group=self._group
        )
        self._app = RestApp(
            self._dataplane,
            max_body_bytes=settings.max_request_bytes,
            enable_docs=settings.enable_docs_url,
            keys=settings.api_key_file is not None,
        )
        certificates = None if settings.tls is None else Certificates(settings.tls)
        self._rest = RestServer(
            self._app,
            host=settings.host,
            port=settings.http_port,
            certificates=certificates,
            keep_alive_seconds=settings.timeout_keep_alive,
            listener=link.listener if link else None,
            client_seconds=settings.client_timeout_seconds,
            max_connections=settings.max_connections,
        )
        self._grpc = _grpc_server(self._dataplane, settings, certificates, link) if settings.enable_grpc else None

    async def run(self) -> None:
        """Begin, answer until told to stop, drain."""
        self._handle_signals()
        await self._group.join(self)
        beginning = asyncio.create_task(self._begin())
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait((beginning, stop), return_when=asyncio.FIRST_COMPLETED)
        if beginning.done():
            beginning.result()
        await stop
        beginning.cancel()
        await self._drain()

    def ready_models(self) -> list[str]:
        """Return the models that answer here."""
        return [name for name in self._repository if self._repository.ready(name)]

    def ready_here(self) -> bool:
        """Whether every model answers here."""
        return self._repository.all_ready()

    def snapshot(self) -> Snapshot:
        """Return what has been counted here."""
        return self._metrics.snapshot()

    async def change(self, action: Action, model: str) -> bool:
        """Load or unload a model here."""
        return await self._dataplane.change(action, model)

    def stop(self, *, drain: bool) -> None:
        """Begin to drain with all the others, or end the wait."""
        self._be_unready()
        if drain and self._signal:
            return  # It was signalled itself and drains already.
        self._signal = signal.SIGTERM if drain else signal.SIGINT
        self._stop.set()

    def _new_repository(self) -> ModelRepository:
        directories = _directories(self._settings)
        # A worker that stands in for another promises no model that the others, which are ready, may be without.
        promised = {} if self._group.late else directories
        repository = ModelRepository(
            promised, self._load_version, self._metrics, max_versions=self._settings.max_versions
        )
        repository.discover(directories)
        return repository

    async def _begin(self) -> None:
        """Listen at once, so that liveness can be asked, and load; in the stead of another load first. Then watch."""
        if not self._group.late:
            await self._listen()
            await self._load_all()
        else:
            await self._load_all()
            missing = [n for n in self._repository if self._group.model_ready(n) and not self._repository.ready(n)]
            if missing:
                raise ArtifactError(f"The other workers have models that can't be loaded here: {', '.join(missing)}.")
            await self._listen()
        await self._watch()

    async def _listen(self) -> None:
        http_port = await self._rest.start()
        grpc_port = await self._grpc.start() if self._grpc else None
        self._group.announce("listening", host=self._settings.host, http_port=http_port, grpc_port=grpc_port)
        self._group.report(listening=True)

    def leave(self) -> None:
        """
        Let the threads end, and where one does not, end the process at once with exit code 0.

        Python would wait for a thread in which a model runs or is being loaded, and has no way to stop it.
        """
        ending = threading.Thread(target=self._end_threads, daemon=True)
        ending.start()
        ending.join(_THREADS_END_SECONDS)
        if ending.is_alive():
            _log.warning("a model is still busy; it is left")
            os._exit(0)

    def _end_threads(self) -> None:
        self._loader.shutdown()
        self._executor.shutdown()

    async def _watch(self) -> None:
        if self._settings.watch_seconds:
            root, seconds = self._settings.model_root, self._settings.watch_seconds
            await Watcher(self._repository, self._loader, seconds, root).run()

    async def _load_all(self) -> None:
        loop = asyncio.get_running_loop()
        for name in list(self._repository):
            begin = self._repository.unload if name in self._group.unloaded else self._repository.load
            await loop.run_in_executor(self._loader, begin, name)
        # What is loaded by now stays; looking through all of it for garbage would hold requests up for milliseconds.
        gc.freeze()
        self._group.report(loaded=True)
        self._tell_ready()

    def _tell_ready(self) -> None:
        seconds = round(time.monotonic() - self._born, 3)
        if self.ready_here():
            models = [":".join(filter(None, pair)) for pair in self._dataplane.models(ANYONE)]
            self._group.announce("ready", models=models, seconds=seconds)
            return
        index = self._repository.index()
        reasons = {":".join(filter(None, (s.name, s.version))): s.reason for s in index if s.reason}
        problem = "a model has no version that answers" if index else "there is no model in the model root"
        _log.error(f"not ready: {problem}", reasons=reasons, seconds=seconds)

    def _load_version(self, directory: Path, name: str, version: str) -> Servable:
        start = time.monotonic()
        default = "predict_proba" if self._settings.predict_proba else None
        servable = load_servable(directory, name, self._policy, version=version or None, default_output=default)
        _log.info("loaded", model=name, version=servable.version, seconds=round(time.monotonic() - start, 3))
        return servable

    async def _drain(self) -> None:
        """Be unready at once, keep answering while the cluster learns of it, then finish what is in flight."""
        drain_seconds = self._settings.drain_seconds if self._signal == signal.SIGTERM else 0
        _log.info("draining", seconds=drain_seconds)
        self._app.draining = True
        self._group.report(listening=False)
        if self._group.worker is None:  # Else the group is as ready as it was, unless all are told to stop.
            self._be_unready()
        self._stop.clear()
        grace_seconds = max(1.0, STOP_WITHIN_SECONDS - 2 - drain_seconds)
        try:
            async with asyncio.timeout(drain_seconds):
                await self._stop.wait()  # A second signal ends the wait.
        except TimeoutError:
            pass
        stops = [self._rest.stop(grace_seconds)]
        if self._grpc:
            stops.append(self._grpc.stop(grace_seconds))
        await asyncio.gather(*stops)
        for executor in (self._loader, self._executor):
            executor.shutdown(wait=False, cancel_futures=True)
        await self._group.leave()
        _log.info("stopped")

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: int) -> None:
        self._signal = number
        self._stop.set()

    def _be_unready(self) -> None:
        self._dataplane.draining = True
        if self._grpc:
            self._grpc.drain()


def _executors(settings: Settings) -> tuple[ThreadPoolExecutor, ThreadPoolExecutor]:
    """Return the threads that run models, and the one that loads them; each limits those of its libraries."""
    cpus = share(settings.workers, settings.threads)
    limit = partial(limit_threads, cpus.calculation)
    return ThreadPoolExecutor(cpus.threads, "model", limit), ThreadPoolExecutor(1, "loader", limit)


def _directories(settings: Settings) -> dict[str, Path]:
    if settings.model_root is not None:
        return model_directories(settings.model_root)
    return {settings.model_name or "model": settings.model_dir}


def _grpc_server(
    dataplane: DataPlane, settings: Settings, certificates: Certificates | None, link: Link | None
) -> GrpcServer:
    return GrpcServer(
        dataplane,
        host=settings.host,
        port=link.grpc_port if link else settings.grpc_port,
        share_port=link is not None,
        certificates=certificates,
        max_receive_message_length=settings.grpc_max_receive_message_length,
        max_send_message_length=settings.grpc_max_send_message_length,
        max_concurrent_streams=_STREAMS_PER_REQUEST * settings.max_in_flight,
        max_connection_age_seconds=settings.grpc_max_connection_age,
    )
