from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from floorwatch.broker import answers, port_is_free, start_embedded
from shared.errors import BusError, SettingsError
from tests.embedded import free_port


async def test_it_starts_answers_and_stops(tmp_path: Path) -> None:
    broker = await start_embedded(free_port(), tmp_path / "logs" / "broker.log")
    try:
        await broker.wait_ready()
        assert await answers(broker.port)
        with pytest.raises(SettingsError, match=rf"port {broker.port} is taken.*set BROKER_PORT"):
            await start_embedded(broker.port, tmp_path / "other.log")
    finally:
        await broker.stop()
    assert await broker.stop() == broker.process.returncode, "stopping twice is harmless"
    assert not await answers(broker.port)
    assert port_is_free(broker.port)


async def test_one_that_ends_at_once_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "broker"
    script.write_text("#!/bin/sh\necho no such storage >&2\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(script))
    broker = await start_embedded(free_port(), tmp_path / "broker.log")
    with pytest.raises(BusError, match=r"ended with code 3: no such storage \(log: .*broker.log\)"):
        await broker.wait_ready()


async def test_a_machine_without_a_binary_is_told_what_else_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", str(tmp_path / "nothing"))
    with pytest.raises(SettingsError, match="set KAFKA_BOOTSTRAP"):
        await start_embedded(free_port(), tmp_path / "broker.log")


async def test_something_else_on_the_port_does_not_answer() -> None:
    async def mute(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400\r\n")
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", port := free_port())
    async with server:
        assert not await answers(port)


PARENT = """
import asyncio, sys
from pathlib import Path
from floorwatch.broker import start_embedded

async def main():
    broker = await start_embedded(int(sys.argv[1]), Path(sys.argv[2]))
    await broker.wait_ready()
    print(broker.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_it_dies_with_its_parent_even_a_killed_one(tmp_path: Path) -> None:
    port = free_port()
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(port), str(tmp_path / "broker.log"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    gone = os.pidfd_open(pid)
    try:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(gone, ended.set)  # readable when the process has ended
        parent.send_signal(signal.SIGKILL)
        await parent.wait()
        async with asyncio.timeout(10):
            await ended.wait()
        loop.remove_reader(gone)
    finally:
        os.close(gone)
    assert port_is_free(port)
