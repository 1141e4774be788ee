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

STOP_WITHIN_SECONDS: Final = 30
"""Time from the first signal to the end of the process, which Kubernetes grants by default."""
_THREADS_END_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


def serve(settings: Settings) -> int:
    """
    Serve until a signal says stop.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int
        Exit code: 0 after a drain, 1 if it could not start.
    """
    logs.configure(settings.log_level)
    # Models fitted on a frame are given an array where publishing has shown that both are answered alike.
    warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)
    if settings.ignored:
        _log.warning("these flags have no meaning here and are ignored", flags=list(settings.ignored))
    if settings.code_dir is not None:
        sys.path.insert(0, str(settings.code_dir))
    try:
        server = Server(settings)
        uvloop.run(server.run())
    except ArtifactError as error:
        _log.error(str(error))
        return 1
    server.leave()
    return 0


class Server:
    """
    One serving process.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    ArtifactError
        The model root is no directory, or a key can't be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._born = time.monotonic()
        self._stop = asyncio.Event()
        self._signal = 0
        self._metrics = Metrics()
        keys = read_keys(settings.verify_key)
        self._policy = LoadPolicy(settings.require_manifest, settings.skops_trusted, keys)
        self._executor, self._loader = _executors(settings)
        self._repository = ModelRepository(
            _directories(settings), self._load_version, self._metrics, max_versions=settings.max_versions
        )
        self._dataplane = DataPlane(self._repository, self._metrics, settings, self._executor, self._loader)
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
        )
        self._grpc = _grpc_server(self._dataplane, settings, certificates) if settings.enable_grpc else None

    async def run(self) -> None:
        """Listen at once, so that liveness can be asked; load; answer until told to stop; drain."""
        self._handle_signals()
        http_port = await self._rest.start()
        grpc_port = await self._grpc.start() if self._grpc else None
        _log.info("listening", host=self._settings.host, http_port=http_port, grpc_port=grpc_port)
        loading = asyncio.create_task(self._load_and_watch())
        await self._stop.wait()
        loading.cancel()
        await self._drain()

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

    async def _load_and_watch(self) -> None:
        await self._load_all()
        if self._settings.watch_seconds:
            root, seconds = self._settings.model_root, self._settings.watch_seconds
            await Watcher(self._repository, self._loader, seconds, root).run()

    async def _load_all(self) -> None:
        loop = asyncio.get_running_loop()
        for name in list(self._repository):
            await loop.run_in_executor(self._loader, self._repository.load, name)
        # What is loaded by now stays; looking through all of it for garbage would hold requests up for milliseconds.
        gc.freeze()
        seconds = round(time.monotonic() - self._born, 3)
        if self._dataplane.ready():
            models = [":".join(filter(None, pair)) for pair in self._dataplane.models(ANYONE)]
            _log.info("ready", models=models, seconds=seconds)
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
        self._dataplane.draining = self._app.draining = True
        if self._grpc:
            self._grpc.drain()
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
        _log.info("stopped")

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: int) -> None:
        self._signal = number
        self._stop.set()


def _executors(settings: Settings) -> tuple[ThreadPoolExecutor, ThreadPoolExecutor]:
    """Return the threads that run models, and the one that loads them; each limits those of its libraries."""
    cpus = share(settings.workers, settings.threads)
    limit = partial(limit_threads, cpus.calculation)
    return ThreadPoolExecutor(cpus.threads, "model", limit), ThreadPoolExecutor(1, "loader", limit)


def _directories(settings: Settings) -> dict[str, Path]:
    if settings.model_root is not None:
        return model_directories(settings.model_root)
    return {settings.model_name or "model": settings.model_dir}


def _grpc_server(dataplane: DataPlane, settings: Settings, certificates: Certificates | None) -> GrpcServer:
    return GrpcServer(
        dataplane,
        host=settings.host,
        port=settings.grpc_port,
        certificates=certificates,
        max_receive_message_length=settings.grpc_max_receive_message_length,
        max_send_message_length=settings.grpc_max_send_message_length,
        max_connection_age_seconds=settings.grpc_max_connection_age,
    )
