"""The supervisor with real processes: small programs that stand for services."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from floorwatch import processes, supervisor
from floorwatch.processes import Program
from floorwatch.supervisor import Stage, StartFailed, Supervisor
from shared.clock import SystemClock
from tests.processes import alive, children
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes through /proc")

# says "ready" by a file, so that a start is seen as soon as it happens and not before
SERVICE = """
import os, pathlib, signal, sys, time
mark = pathlib.Path(sys.argv[1])
mark.write_text(str(os.getpid()))
while True:
    time.sleep(60)
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVICE
# takes twice as long to end as programs that promise nothing are given here
SLOW_TO_END = (
    """
import pathlib, signal, sys, time
def end(*_):
    time.sleep(1.0)
    pathlib.Path(sys.argv[1] + ".ended").touch()
    sys.exit()
signal.signal(signal.SIGTERM, end)
"""
    + SERVICE
)
FORKING = "import subprocess, sys; subprocess.Popen(['sleep', '600'])\n" + SERVICE


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "BACK_OFF_S", (0.05, 0.1))
    monkeypatch.setattr(supervisor, "STOP_S", 0.5)


class Floor:
    """Programs in a folder, and what the supervisor said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []

    def program(self, name: str, code: str = SERVICE) -> Program:
        mark = self.folder / f"{name}.pid"

        async def ready() -> str | None:
            return None if self.pid(name) else "no mark"

        return Program(name, [sys.executable, "-c", code, str(mark)], ready)

    def pid(self, name: str) -> int:
        """The process that last said that it is ready, 0 when none lives."""
        try:
            pid = int((self.folder / f"{name}.pid").read_text() or 0)
        except (OSError, ValueError):
            return 0
        return pid if pid and alive(pid) else 0

    @asynccontextmanager
    async def running(self, stages: list[Stage]) -> AsyncIterator[Supervisor]:
        """A supervisor in this process, stopped as Ctrl-C would."""
        it = Supervisor(stages, log_dir=self.folder / "logs", clock=SystemClock(), say=self.said.append)
        started = asyncio.Event()
        task = asyncio.create_task(it.run(started=started.set))
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        try:
            if waiting.done():
                yield it
        finally:
            waiting.cancel()
            if not task.done():
                os.kill(os.getpid(), signal.SIGINT)
            await task


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


async def test_stages_start_in_order_and_all_end_at_a_signal(floor: Floor) -> None:
    seen: list[bool] = []

    async def between() -> None:
        seen.append(bool(floor.pid("first")) and not floor.pid("second"))

    async with floor.running([Stage([floor.program("first")], then=between), Stage([floor.program("second")])]):
        pids = [floor.pid("first"), floor.pid("second")]
        assert all(pids)
    assert seen == [True]
    assert not any(alive(pid) for pid in pids)
    assert floor.said[-1].startswith("stopping")


async def test_a_program_that_ignores_sigterm_is_killed(floor: Floor) -> None:
    async with floor.running([Stage([floor.program("stubborn", STUBBORN)])]):
        pid = floor.pid("stubborn")
    assert not alive(pid)


async def test_a_program_has_the_time_to_end_that_it_promises(floor: Floor) -> None:
    """Services with open requests and a last checkpoint to take were killed in the middle of it."""
    program = replace(floor.program("slow", SLOW_TO_END), ends_within_s=60.0)
    async with floor.running([Stage([program])]):
        pass
    assert (floor.folder / "slow.pid.ended").exists()


async def test_a_program_that_cannot_be_started_again_is_tried_until_it_can(floor: Floor) -> None:
    """A full disk, no memory: nobody tried again, and nobody was told."""
    log = floor.folder / "logs" / "a.log"
    async with floor.running([Stage([floor.program("a"), floor.program("b")])]):
        log.unlink()
        log.mkdir()  # for it cannot be opened then, by root neither
        os.kill(floor.pid("a"), signal.SIGKILL)
        await until(lambda: sum("a cannot be started" in line for line in floor.said) > 1, "it is tried and told of")
        log.rmdir()
        await until(lambda: floor.pid("a"), "it is started again")
        assert floor.pid("b")
        running = floor.pid("a")
    assert not alive(running)


async def test_a_place_for_logs_that_cannot_be_is_named(floor: Floor) -> None:
    (floor.folder / "logs").touch()
    with pytest.raises(StartFailed, match=r"logs cannot be written: File exists"):
        async with floor.running([Stage([floor.program("a")])]):
            pytest.fail("it must not count as started")


async def test_what_a_program_started_itself_ends_with_it(floor: Floor) -> None:
    async with floor.running([Stage([floor.program("forking", FORKING)])]):
        pid = floor.pid("forking")
        (sleeper,) = children(pid)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not alive(sleeper), "the crashed program's own child ends")
        await until(lambda: floor.pid("forking") not in (0, pid), "it is started again")
        (second,) = children(floor.pid("forking"))
    await until(lambda: not alive(second), "what it started ends with the supervisor's stop")


async def test_a_crashed_program_is_started_again_and_the_others_stay(floor: Floor) -> None:
    async with floor.running([Stage([floor.program("a"), floor.program("b")])]):
        first, other = floor.pid("a"), floor.pid("b")
        for _ in range(3):
            crashed = floor.pid("a")
            os.kill(crashed, signal.SIGKILL)
            await until(lambda gone=crashed: floor.pid("a") not in (0, gone), "a is started again")
        assert floor.pid("b") == other
        assert floor.pid("a") != first
    assert any("a ended with SIGKILL" in line and "starting a again in" in line for line in floor.said)


async def test_when_a_vital_program_dies_everything_is_made_anew(floor: Floor) -> None:
    made: list[int] = []

    async def topics() -> None:
        made.append(floor.pid("broker"))

    stages = [Stage([floor.program("broker")], then=topics, vital=True), Stage([floor.program("service")])]
    async with floor.running(stages):
        broker, service = floor.pid("broker"), floor.pid("service")
        os.kill(broker, signal.SIGKILL)
        await until(lambda: any("everything runs again" in line for line in floor.said), "all is up again")
        assert floor.pid("broker") not in (0, broker)
        assert floor.pid("service") not in (0, service)
        assert not alive(service)
        assert made == [broker, floor.pid("broker")]


async def test_a_program_that_dies_at_the_start_shows_its_last_lines_and_stops_the_rest(floor: Floor) -> None:
    dying = 'import sys; print(\'{"event": "no such file", "level": "error", "key": 7}\'); sys.exit(3)'
    stages = [Stage([floor.program("first")]), Stage([floor.program("dying", dying)])]
    with pytest.raises(StartFailed) as failure:
        async with floor.running(stages):
            pytest.fail("it must not count as started")
    assert "dying ended with code 3 while starting" in str(failure.value)
    assert "error: no such file key=7" in str(failure.value)
    assert not floor.pid("first")


async def test_a_program_that_never_becomes_ready_is_named_with_its_reason(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "PATIENCE_S", 0.2)
    program = floor.program("waiting", "import time; time.sleep(600)")
    with pytest.raises(StartFailed, match="waiting is not ready after 0 s: no mark"):
        async with floor.running([Stage([program])]):
            pytest.fail("it must not count as started")


SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from floorwatch.processes import Program
from floorwatch.supervisor import Stage, Supervisor
from shared.clock import SystemClock
folder = Path(sys.argv[1])
program = Program("service", [sys.executable, "-c", sys.argv[2], str(folder / "service.pid")])
it = Supervisor([Stage([program])], log_dir=folder / "logs", clock=SystemClock(), say=lambda line: None)
if len(sys.argv) > 3:
    from floorwatch import processes
    sys.platform = "elsewhere"
asyncio.run(it.run(started=lambda: (folder / "started").write_text("yes")))
"""


@pytest.mark.parametrize("elsewhere", [False, True], ids=["by the kernel", "by the leash"])
@pytest.mark.parametrize("code", [SERVICE, STUBBORN], ids=["ordinary", "stubborn"])
async def test_no_child_outlives_a_killed_supervisor(floor: Floor, elsewhere: bool, code: str) -> None:
    more = ["elsewhere"] if elsewhere else []
    it = await asyncio.create_subprocess_exec(sys.executable, "-c", SUPERVISOR, str(floor.folder), code, *more)
    await until(lambda: (floor.folder / "started").exists() and floor.pid("service"), "it has started")
    pid = floor.pid("service")
    it.kill()
    await it.wait()
    await until(lambda: not alive(pid), "the child is gone")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n{}", None),
        (
            b'HTTP/1.1 503 x\r\n\r\n{"checks": {"bus": {"ok": false, "reason": "no broker"}, "db": {"ok": true}}}',
            "bus: no broker",
        ),
        (b"HTTP/1.1 500 x\r\n\r\noops", "it says that it is not ready, and not why"),
    ],
)
async def test_readiness_is_asked_over_http(answer: bytes, expected: str | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        ask: Callable[[], Awaitable[str | None]] = processes.http_ready("127.0.0.1", port)
        assert await ask() == expected
    assert await ask() == f"port {port} does not answer yet"
