"""How a service ends: not ready first, in its time, at once when it is asked twice. The service runs as a real process."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import yaml

from floorwatch.run import plan, stages
from shared.ending import WITHIN_S, Ending, time_to_end
from shared.http import create_app
from shared.settings import ROOT, ServiceSettings
from tests.servingkit import served
from tests.waiting import PATIENCE_S, until

DEPLOY = ROOT / "deploy"
SERVICE = """
import asyncio, threading
from shared.http import Background, create_app, serve
from shared.service import run
from shared.settings import MonitorSettings

async def start(settings):
    async with Background() as background:
        app = create_app("monitor", background=background)
        await serve(app, settings.host, settings.port, background=background, shutdown_s=settings.shutdown_s,
                    drain_s=settings.drain_s, on_started=lambda port: print(port, flush=True))
        if settings.name == "hangs":  # a thread for which Python waits at the end of the process
            threading.Thread(target=threading.Event().wait, name="one that hangs").start()
            await asyncio.to_thread(threading.Event().wait)

run("monitor", MonitorSettings, start)
"""


@asynccontextmanager
async def service(**settings: object) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVICE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"MONITOR_PORT": "0", "FLOORWATCH_LOG_FORMAT": "json"} | {key: str(one) for key, one in settings.items()},
    )
    try:
        assert process.stdout is not None
        port = int(await asyncio.wait_for(process.stdout.readline(), PATIENCE_S))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process) -> list[Any]:
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return [json.loads(line) for line in err.splitlines()]


async def asked(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], path: str) -> int:
    """The status of the answer, which is read whole; the connection stays."""
    reader, writer = connection
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    (length,) = re.findall(rb"content-length: (\d+)", head.lower())
    await reader.readexactly(int(length))
    return int(head.split()[1])


async def test_asked_to_end_it_is_not_ready_but_serves_and_asked_again_it_ends_at_once() -> None:
    async with service(FLOORWATCH_DRAIN_S=600) as (process, client):
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.post("/api/v1/tickets")).status_code == 201
        kept = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        assert await asked(kept, "/healthz") == 200
        process.send_signal(signal.SIGTERM)

        async def not_ready() -> bool:
            return (await client.get("/readyz")).status_code == 503

        await until(not_ready, "load balancers are told")
        checks = (await client.get("/readyz")).json()["checks"]
        assert checks["end"] == {"ok": False, "reason": "it was asked to end, and sends whoever is here away"}
        async with httpx.AsyncClient(base_url=client.base_url, timeout=PATIENCE_S) as somebody:
            assert (await somebody.get("/healthz")).status_code == 200, "whoever is still sent here is served"

        assert await asked(kept, "/healthz") == 200
        assert await asyncio.wait_for(kept[0].read(), PATIENCE_S) == b"", "it was the last of its connection"
        kept[1].close()
        refused = await client.post("/api/v1/tickets")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1"), "it would be no good elsewhere"

        await asyncio.sleep(0.6)  # closer together two signals are one
        process.send_signal(signal.SIGINT)
        log = await said(process)
    assert process.returncode == 128 + signal.SIGINT
    assert log[-1]["event"] == "asked to end a second time: ends at once"


async def test_signals_that_come_together_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal and a supervisor both pass on the same Ctrl-C."""
    clock, stops, ended = [100.0], list[float](), list[int]()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock[0])
    ending = Ending(end=ended.append)
    with ending.calls(lambda: stops.append(clock[0])):
        for clock[0] in (100.0, 100.1, 100.5):
            ending.ask(signal.SIGTERM)
        assert (stops, ended) == ([100.0], [])
        clock[0] = 100.6
        ending.ask(signal.SIGTERM)
    assert (stops, ended) == ([100.0], [128 + signal.SIGTERM])


async def test_what_hangs_is_ended_by_force_and_named() -> None:
    async with service(MONITOR_NAME="hangs", MONITOR_SHUTDOWN_S=0.1, FLOORWATCH_DRAIN_S=0.2) as (process, _):
        process.send_signal(signal.SIGTERM)
        log = await said(process)
    assert process.returncode == 1
    assert log[-1]["event"] == "did not end in time: ended by force"
    assert log[-1]["within_s"] == pytest.approx(3.4)
    assert "one that hangs" in log[-1]["threads"]


async def test_a_request_that_is_given_up_at_the_end_is_told_so() -> None:
    """Whoever wrote while the database hung got a 500, as of a fault of ours, and the log a traceback."""
    app, asked = create_app("monitor"), asyncio.Event()

    @app.get("/api/v1/waits")
    async def waits() -> None:
        asked.set()
        await asyncio.Event().wait()

    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        async with served(app) as port:
            asking = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/api/v1/waits"))
            await asyncio.wait_for(asked.wait(), PATIENCE_S)
        found = await asking
    assert (found.status_code, found.headers["retry-after"]) == (503, "1")
    assert found.json()["title"] == "The service ends"
    assert found.json()["detail"].endswith("look whether it was done before you ask again")
    assert found.headers["x-content-type-options"] == "nosniff", "as every answer"


def test_whoever_ends_services_by_force_waits_longer_than_they_take() -> None:
    drain_s = [
        float(one.partition("=")[2])
        for one in read_yaml("kubernetes/base/kustomization.yaml")["configMapGenerator"][0]["literals"]
        if one.startswith("FLOORWATCH_DRAIN_S=")
    ]
    shutdown_s = ServiceSettings().shutdown_s
    for name in ("ingest", "monitor", "alerts", "relay"):
        workload = next(yaml.safe_load_all((DEPLOY / f"kubernetes/base/{name}.yaml").read_text(encoding="utf-8")))
        grace_s = workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace_s > time_to_end(*drain_s, shutdown_s), name
    units = list((DEPLOY / "systemd").glob("*.service"))
    assert len(units) == 5
    for unit in units:
        (stop_s,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
        assert int(stop_s) > time_to_end(0, shutdown_s), unit.name
    grace = read_yaml("compose/compose.yaml")["x-floorwatch"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > time_to_end(0, shutdown_s)


def test_one_command_for_all_gives_each_the_time_that_its_settings_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """It killed services after 6 s, whatever they were to take."""
    monkeypatch.setenv("FLOORWATCH_DRAIN_S", "7")
    monkeypatch.setenv("MONITOR_SHUTDOWN_S", "30")
    floor = plan(broker="embedded", simulator=True, speed=None, seed=None, monitors=2)
    promised = {one.name: one.ends_within_s for stage in stages(floor) for one in stage.programs}
    monitor, others = time_to_end(7, 30), time_to_end(7, ServiceSettings().shutdown_s)
    assert promised == {
        "broker": None,
        "ingest": others,
        "monitor": monitor,
        "monitor-2": monitor,
        "alerts": others,
        "relay": others,
        "simulator": WITHIN_S,
    }
    assert time_to_end(0, ServiceSettings().shutdown_s) == WITHIN_S


def read_yaml(path: str) -> Any:
    return yaml.safe_load((DEPLOY / path).read_text(encoding="utf-8"))
