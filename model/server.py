"""The life of a serving process: listen, load, answer, drain, stop."""

import asyncio
import signal
import sys
import warnings
from typing import Final

import structlog
import uvloop

from model.cpus import share
from model.dataplane import DataPlane
from model.errors import ArtifactError
from model.grpc.server import GrpcServer
from model.metrics import Metrics
from model.rest.app import RestApp
from model.rest.server import RestServer
from model.settings import Settings
from model.startup import Startup
from model.threads import Threads
from model.tls.certificates import Certificates
from model.watcher import Watcher
from model.workers.group import Action, Alone, Group
from model.workers.link import Link
from model.workers.snapshot import Snapshot

STOP_WITHIN_SECONDS: Final = 30
"""Time from the first signal to the end of the process, which Kubernetes grants by default."""
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
        self._stop = asyncio.Event()
        self._signal = 0
        self._metrics = Metrics(settings.drift_half_life_seconds)
        self._startup = Startup(settings, self._metrics, self._group)
        self._repository = self._startup.repository
        self._threads = Threads(share(settings.workers, settings.threads))
        self._dataplane = DataPlane(
            self._repository, self._metrics, settings, self._threads.models, self._threads.loader, group=self._group
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
        counting = asyncio.create_task(self._metrics.drift.run())
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait((beginning, stop), return_when=asyncio.FIRST_COMPLETED)
        if beginning.done():
            beginning.result()
        await stop
        beginning.cancel()
        counting.cancel()
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
        return await self._dataplane.changes.here(action, model)

    def stop(self, *, drain: bool) -> None:
        """Begin to drain with all the others, or end the wait."""
        self._be_unready()
        if drain and self._signal:
            return  # It was signalled itself and drains already.
        self._signal = signal.SIGTERM if drain else signal.SIGINT
        self._stop.set()

    async def _begin(self) -> None:
        """Listen at once, so that liveness can be asked, and load; in the stead of another load first. Then watch."""
        if not self._group.late:
            await self._listen()
            await self._startup.load_all(self._threads.loader)
        else:
            await self._startup.load_all(self._threads.loader)
            if missing := self._startup.missing():
                raise ArtifactError(f"The other workers have models that can't be loaded here: {', '.join(missing)}.")
            await self._listen()
        await self._watch()

    async def _listen(self) -> None:
        http_port = await self._rest.start()
        grpc_port = await self._grpc.start() if self._grpc else None
        self._group.announce("listening", host=self._settings.host, http_port=http_port, grpc_port=grpc_port)
        self._group.report(listening=True)

    async def _watch(self) -> None:
        if self._settings.watch_seconds:
            root, seconds = self._settings.model_root, self._settings.watch_seconds
            await Watcher(self._repository, self._threads.loader, seconds, root).run()

    def leave(self) -> None:
        """End the threads, or the process with them."""
        self._threads.leave()

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
        self._threads.stop()
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
        client_seconds=settings.client_timeout_seconds,
    )
