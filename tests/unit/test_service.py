"""A service's process: what ends it and with which code. The service runs as a real process."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from shared.errors import SettingsError
from shared.ports import listen
from tests.waiting import PATIENCE_S

SERVICE = """
import asyncio, sys
from shared.http import Background, create_app, serve
from shared.service import run
from shared.settings import MonitorSettings
import signal

async def pump(way):
    if way == "dies":
        raise ValueError("the pump broke")
    if way == "returns":
        return
    await asyncio.sleep(3600)

async def start(settings):
    async with Background() as background:
        work = background.start("pump", pump("lives"))
        app = create_app("monitor", background=background)

        @app.post("/die/{way}")
        async def die(way: str) -> None:
            background.start("other", pump(way))

        @app.websocket("/ws")
        async def ws(websocket) -> None:
            await websocket.accept()
            await websocket.receive_text()

        await serve(app, settings.host, settings.port, background=background,
                    on_started=lambda port: print(port, flush=True), shutdown_s=1)
        assert not work.done()
    assert work.cancelled()
    print("cleaned up", flush=True)

run("monitor", MonitorSettings, start)
"""


@asynccontextmanager
async def service() -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVICE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"MONITOR_PORT": "0", "FLOORWATCH_LOG_FORMAT": "json"},
    )
    try:
        assert process.stdout is not None
        yield process, int(await asyncio.wait_for(process.stdout.readline(), PATIENCE_S))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_a_signal_ends_it_in_order_with_code_0(number: signal.Signals) -> None:
    async with service() as (process, port):
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            assert (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0, err.decode()
    assert out == b"cleaned up\n"


@pytest.mark.parametrize(("way", "why"), [("dies", "other: the pump broke"), ("returns", "other: ended")])
async def test_the_death_of_a_background_task_ends_it_with_code_1(way: str, why: str) -> None:
    async with service() as (process, port):
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            await client.post(f"http://127.0.0.1:{port}/die/{way}")
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 1
    assert json.loads(err.splitlines()[-1])["event"] == f"monitor cannot go on: {why}"


@pytest.mark.parametrize("value", ["taken", "abc"])
async def test_a_wrong_port_is_said_in_one_line_with_code_2(value: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1]) if value == "taken" else value
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVICE, stderr=asyncio.subprocess.PIPE, env={"MONITOR_PORT": port}
        )
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2
    assert err.decode().count("\n") == 1
    expected = (
        f"port {port} is taken; set MONITOR_PORT to another one" if value == "taken" else "MONITOR_PORT: expected"
    )
    assert expected in err.decode()


def test_listening_on_an_address_that_is_not_ours_names_the_setting() -> None:
    with pytest.raises(SettingsError, match=r"cannot listen on 192\.0\.2\.1 port 1234 \(MONITOR_PORT\)"):
        listen("192.0.2.1", 1234, setting="MONITOR_PORT")
