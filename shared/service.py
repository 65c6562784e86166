"""A service as a process: its background tasks, its HTTP server, its start and its end.

    async def start(settings: MonitorSettings) -> None:
        async with Background() as background:
            background.start("pump", pump.run())
            app = create_app("monitor", background=background, ...)
            await serve_as(settings, app, background=background, tls=None)

    def main() -> None:
        run("monitor", MonitorSettings, start)

A background task that ends on its own, with or without an error, ends the service: readiness goes false, the server drains, and
the process exits with 1 for its supervisor to start it anew. SIGTERM and SIGINT end it in the same order, with 0: not ready any
more, but serving for as long as a load balancer needs to see that (`drain_s`); feeds told to come back elsewhere; open requests
answered; then what `start` does behind `serve`. It takes no longer than `shared.ending` allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, TypeVar

import structlog
import uvicorn
from prometheus_client import CollectorRegistry

from shared import logs, spans
from shared.clientcertificates import ClientCertificates
from shared.clock import SystemClock
from shared.collector import set_aside
from shared.ending import WITHIN_S, Ending, current, time_to_end
from shared.errors import FloorwatchError, SettingsError
from shared.filemetrics import FileMetrics
from shared.handshakes import TlsListener
from shared.httpserver import HEAD_S, Admission, BoundedHttp, BoundedState
from shared.limits import Limits
from shared.ports import allow_many_files, listen
from shared.settings import CommonSettings, ServiceSettings, load
from shared.tls import ServerTls
from shared.wsserver import DirectProtocol

log = structlog.get_logger()

_WS_MESSAGE_BYTES = 1 << 16  # from a client; pages send a line of JSON
# a client that vanished says nothing, and what it is sent fits into buffers for a long time
PING_S = 20.0
PONG_S = 20.0  # for its answer; then it is let go
# it begins before the answer was read, so it bounds how long that may take; who does not read is let go by the protocols
_TLS_END_S = 3600.0

S = TypeVar("S", bound=CommonSettings)


class ServiceFailed(FloorwatchError):
    """A background task of the service ended; the service cannot go on without it."""


class Background:
    """The named tasks of a service. As a context manager it cancels those still running, last started first."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._stopping = False
        self._dead: asyncio.Future[str] | None = None

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` from now until the service ends."""
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = name
        task.add_done_callback(self._ended)
        return task

    def check(self) -> str | None:
        """For readiness: which task has died, None when all live."""
        return self._death.result() if self._death.done() else None

    async def failed(self) -> str:
        """Wait for the first task that dies; its name and why."""
        return await asyncio.shield(self._death)

    async def stop(self) -> None:
        """Cancel the tasks one by one and wait for each, so that a later one may still use an earlier one."""
        self._stopping = True
        for task in reversed(self._tasks):
            task.cancel()
            await asyncio.wait([task])

    @property
    def _death(self) -> asyncio.Future[str]:
        if self._dead is None:
            self._dead = asyncio.get_running_loop().create_future()
        return self._dead

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        name = self._tasks[task]
        if error is not None:
            log.error("a background task died", task=name, exc_info=error)
        if self._stopping or self._death.done():
            return
        self._death.set_result(f"{name}: {error or 'ended'}")

    async def __aenter__(self) -> Background:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class _Server(uvicorn.Server):
    """Leaves signals to `serve`: uvicorn raises them once more after its shutdown, which would skip ours."""

    def __init__(
        self, config: uvicorn.Config, admission: Admission, on_stopping: Callable[[], Awaitable[None] | None]
    ) -> None:
        super().__init__(config)
        self.server_state = self.bounded = BoundedState(admission)
        self._admission = admission
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, of sockets that are there, and no TLS handshake takes longer than any other head."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(uvicorn.config.STARTUP_FAILURE)
        tls = self.config.ssl
        self.servers = [
            await asyncio.get_running_loop().create_server(
                self._protocol,
                sock=TlsListener.of(sock, self._admission) if tls else sock,
                ssl=tls,
                backlog=self.config.backlog,
                ssl_handshake_timeout=HEAD_S if tls else None,
                ssl_shutdown_timeout=_TLS_END_S if tls else None,
            )
            for sock in sockets or []
        ]
        self.started = True

    def _protocol(self) -> asyncio.Protocol:
        return BoundedHttp(self.config, self.server_state, self.lifespan.state)

    async def shutdown(self, sockets: Any = None) -> None:
        ending = self._on_stopping()
        if ending is not None:
            await ending
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    app: Any,
    host: str,
    port: int,
    *,
    background: Background | None = None,
    setting: str = "",
    tls: ServerTls | None = None,
    shutdown_s: float = 5.0,
    drain_s: float = 0.0,
    on_started: Callable[[int], None] | None = None,
    on_stopping: Callable[[], Awaitable[None] | None] = lambda: None,
) -> None:
    """Serve `app` until SIGTERM or SIGINT, or until a background task dies.

    Who may connect is told by `app.state.limits`; with `tls` the port speaks nothing else. `setting` is the variable that
    changes the port (default: from the app's name, such as MONITOR_PORT); `on_started` gets the port once requests are answered,
    `on_stopping` runs before open responses are waited for and ends those that have no end of their own. Asked to end, it
    is not ready and serves for `drain_s` more. Raises SettingsError when the port is taken, ServiceFailed when a task died.
    """
    service = getattr(app.state, "service", "service")
    limits: Limits = app.state.limits
    sock = listen(host, port, setting=setting or f"{service.upper()}_PORT")
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls.context,
        forwarded_allow_ips=[str(network) for network in limits.trusted],
        ws=DirectProtocol,  # the one of "websockets-sansio": the other is deprecated, and slower
        ws_per_message_deflate=False,  # costs more than half of the fan-out
        ws_max_size=_WS_MESSAGE_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PONG_S,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(shutdown_s)),
    )
    server = _Server(config, Admission.of(limits), on_stopping)
    if tls is not None and (registry := getattr(app.state, "registry", None)) is not None:
        _show(tls, registry)
    port = sock.getsockname()[1]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        app.state.ending = server.bounded.ending = True
        loop.call_later(drain_s, setattr, server, "should_exit", True)

    with current() as ending, ending.calls(stop):
        serving = asyncio.create_task(server.serve(sockets=[sock]), name="http")
        watching = asyncio.create_task(_watch(background, server, ending), name="watch")
        renewing = None if tls is None else asyncio.create_task(tls.follow(SystemClock()), name="certificate")
        try:
            while not server.started and not serving.done():
                await asyncio.wait([serving], timeout=0.01)
            if server.started:
                gc.collect()
                set_aside()
                log.info("listening", host=host, port=port, tls=tls is not None)
                if on_started is not None:
                    on_started(port)
            await serving
        finally:
            watching.cancel()
            if renewing is not None:
                renewing.cancel()
    if background is not None and (death := background.check()) is not None:
        raise ServiceFailed(f"{service} cannot go on: {death}")


async def serve_as(
    settings: ServiceSettings,
    app: Any,
    *,
    background: Background,
    tls: ServerTls | None,
    on_stopping: Callable[[], Awaitable[None] | None] = lambda: None,
) -> None:
    """`serve`, where and with the times to end that a service's settings say. Raises SettingsError, too, for a certificate that
    cannot be read."""
    certificates = ClientCertificates(settings)
    certificates.show(app.state.registry)
    background.start("certificates", certificates.follow(SystemClock()))
    await serve(
        app,
        settings.host,
        settings.port,
        background=background,
        tls=tls,
        shutdown_s=settings.shutdown_s,
        drain_s=settings.drain_s,
        on_stopping=on_stopping,
    )


def _show(tls: ServerTls, registry: CollectorRegistry) -> None:
    files = FileMetrics.on(registry)
    files.follow("certificate", lambda: tls.health)
    files.certificate("port", lambda: tls.expires)


async def _watch(background: Background | None, server: uvicorn.Server, ending: Ending) -> None:
    if background is not None:
        await background.failed()
        ending.limit()
        server.should_exit = True


async def until_stopped(background: Background) -> None:
    """For a process without HTTP: return at SIGTERM or SIGINT, raise ServiceFailed when a background task dies."""
    stopped = asyncio.Event()
    with current() as ending, ending.calls(stopped.set):
        stop = asyncio.create_task(stopped.wait())
        death = asyncio.create_task(background.failed())
        done, pending = await asyncio.wait([stop, death], return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if death in done:
            ending.limit()
            raise ServiceFailed(f"cannot go on: {death.result()}")


def run(service: str, kind: type[S], start: Callable[[S], Awaitable[None]]) -> None:
    """The `main` of a service: read settings, set up logs, run `start`, exit with a code that says how it ended.

    0: asked to stop. 1: a background task died or something unexpected happened. 2: a wrong setting or file, said in one line.
    """
    try:
        settings = load(kind)
        allow_many_files()
        logs.configure(service, level=settings.log_level, fmt=settings.log_format)
        spans.configure(service, settings)
        asyncio.run(_started(start, settings, Ending(_time_to_end(settings))))
    except KeyboardInterrupt:
        sys.exit(0)
    except ServiceFailed as exc:
        log.error(str(exc))
        sys.exit(1)
    except SettingsError as exc:
        sys.stderr.write(f"{service}: {exc}\n")
        sys.exit(2)
    except FloorwatchError as exc:
        log.error(str(exc))
        sys.exit(1)


def _time_to_end(settings: CommonSettings) -> float:
    return time_to_end(settings.drain_s, settings.shutdown_s) if isinstance(settings, ServiceSettings) else WITHIN_S


async def _started(start: Callable[[S], Awaitable[None]], settings: S, ending: Ending) -> None:
    """A SIGTERM before `serve` has taken over cancels the start; what was begun is undone on the way out."""
    task = asyncio.current_task()
    assert task is not None
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    with ending.signals(), ending.calls(stop):
        try:
            await start(settings)
        except asyncio.CancelledError:
            if not stopped:
                raise
