"""The embedded broker for tests: a real process on a free port of 127.0.0.1, gone with the test run."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from floorwatch.broker import HOST, answers, command_of
from floorwatch.processes import die_with_parent
from tests.waiting import PATIENCE_S
from tools.servers import free_port


class TestBroker:
    """A broker that a test may stop and start again on the same port; it comes back empty."""

    __test__ = False
    idempotent = False

    def __init__(self, log_path: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.bootstrap = f"{HOST}:{self.port}"
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers. Not a coroutine, so that fixtures of any kind can call it; takes some 30 ms."""
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command_of(self.port), stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent()
            )
        with ThreadPoolExecutor(1) as thread:  # a loop of its own, there may be one here already
            thread.submit(asyncio.run, self._wait_ready(self._process)).result()

    async def _wait_ready(self, process: subprocess.Popen[bytes], timeout_s: float = PATIENCE_S) -> None:
        give_up = time.monotonic() + timeout_s
        while not await answers(self.port):
            if process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"the embedded broker did not start: {self._log_path.read_text()}")
            await asyncio.sleep(0.01)  # between two questions to another process

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Forget every record, while it does not run; it does so by itself."""


@contextlib.contextmanager
def embedded_broker(log_path: Path) -> Iterator[TestBroker]:
    broker = TestBroker(log_path)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()
