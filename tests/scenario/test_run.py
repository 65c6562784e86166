"""`floorwatch run` as people start it: real processes, the embedded broker, from a raw event to an incident."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from shared import topics
from shared.clock import SystemClock
from shared.kafka import KafkaBus
from shared.raw import Raw
from tests.processes import alive, children
from tests.waiting import PATIENCE_S, until
from tools.servers import free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes through /proc")

SITE = "hq"
SERVICES = {
    "broker": "tansu broker",
    "ingest": "services.ingest.app",
    "monitor": "services.monitor.app",
    "alerts": "services.alerts.app",
    "relay": "services.monitor.listen.relay",
}
PORTS = ("BROKER_PORT", "MONITOR_PORT", "INGEST_PORT", "ALERTS_PORT", "RELAY_PORT", "RELAY_MEDIA_PORT")
START_S = PATIENCE_S  # on a machine that is busy with other things; alone it takes 3


@dataclass
class Running:
    process: asyncio.subprocess.Process
    ports: dict[str, int]
    out: Path
    numbers: itertools.count[int]
    clock: SystemClock

    def url(self, service: str, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[f'{service.upper()}_PORT']}{path}"

    def said(self) -> str:
        return self.out.read_text()

    def pid_of(self, service: str) -> int:
        return next((pid for pid, line in children(self.process.pid).items() if SERVICES[service] in line), 0)

    async def say(self, *events: tuple[str, datetime, dict[str, Any]]) -> None:
        """Write generic events to `switch.raw`, as any switch's own program would."""
        bus = KafkaBus(f"127.0.0.1:{self.ports['BROKER_PORT']}")
        try:
            for kind, time, data in events:
                event = {
                    "specversion": "1.0",
                    "type": f"floorwatch.{kind}.v1",
                    "id": str(next(self.numbers)),
                    "source": "/pbx",
                    "time": time.isoformat(),
                    "data": data,
                }
                raw = Raw(
                    value=json.dumps(event).encode(),
                    vendor="generic",
                    site=SITE,
                    connector="pbx",
                    received=self.clock.now(),
                )
                await bus.publish(topics.SWITCH_RAW, raw.value, key=SITE, headers=raw.headers())
            await bus.flush()
        finally:
            await bus.close()

    async def get(self, service: str, path: str) -> Any:
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            return (await client.get(self.url(service, path))).raise_for_status().json()


def environment(folder: Path, ports: dict[str, int]) -> dict[str, str]:
    ours = ("INGEST_", "MONITOR_", "ALERTS_", "RELAY_", "SIMULATOR_", "BROKER_", "KAFKA_", "FLOORWATCH_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **{name: str(port) for name, port in ports.items()}, "FLOORWATCH_RUN_DIR": str(folder / "run")}


@asynccontextmanager
async def running(folder: Path, *arguments: str, **settings: str) -> AsyncIterator[Running]:
    ports = {name: free_port() for name in PORTS}
    out = folder / "out.txt"
    with out.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "floorwatch.cli",
            "run",
            "--no-simulator",
            *arguments,
            stdout=log,
            stderr=log,
            env=environment(folder, ports) | settings,
        )
    it = Running(process, ports, out, itertools.count(), SystemClock())
    try:
        await until(lambda: "Floorwatch is up" in it.said() or process.returncode is not None, "it is up", START_S)
        assert process.returncode is None, it.said()
        yield it
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), PATIENCE_S)
            except TimeoutError:
                process.kill()
                await process.wait()


def a_floor(now: datetime) -> list[tuple[str, datetime, dict[str, Any]]]:
    """Two agents, one of them with a customer on the line."""
    return [
        ("link_up", now, {"connector": "pbx"}),
        ("agent_logged_on", now, {"agent_id": "1001", "name": "Anna", "team": "Blue", "queues": ["sales"]}),
        ("agent_logged_on", now, {"agent_id": "1002", "name": "Bert", "team": "Blue", "queues": ["sales"]}),
        ("call_queued", now, {"call_id": "c1", "queue": "sales"}),
        ("leg_started", now, {"call_id": "c1", "leg_id": "l1", "agent_id": "1001", "queue": "sales"}),
        ("leg_answered", now, {"call_id": "c1", "leg_id": "l1"}),
        ("call_dequeued", now, {"call_id": "c1", "queue": "sales", "reason": "answered", "agent_id": "1001"}),
    ]


async def flag_over_the_feed(feed: Any, transfer_id: str) -> dict[str, Any]:
    """The flag of this transfer, from the snapshot or from the first delta that has it."""
    async for frame in feed:
        message = json.loads(frame)
        found = message.get("floor", {}).get("flags", [])
        found += [change["value"] for change in message.get("changes", []) if change["kind"] == "flag"]
        for flag in found:
            if flag and flag["subject_id"] == transfer_id:
                assert isinstance(flag, dict)
                return flag
    raise AssertionError("the feed ended without the flag")


async def test_a_second_run_in_the_same_directory_touches_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        assert f"Kafka         127.0.0.1:{it.ports['BROKER_PORT']}" in it.said()
        run_dir = tmp_path / "run"
        logs = {file.name: file.stat().st_ino for file in (run_dir / "logs").iterdir()}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "floorwatch.cli",
            "run",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(tmp_path, {name: free_port() for name in PORTS}),
        )
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert process.returncode == 2
        assert err.decode() == (
            f"floorwatch: Floorwatch is running already in {run_dir} (process {it.process.pid}); stop it, "
            "or set FLOORWATCH_RUN_DIR and the ports to others\n"
        )
        assert out == b""
        assert {file.name: file.stat().st_ino for file in (run_dir / "logs").iterdir()} == logs
        assert len(children(it.process.pid)) == len(SERVICES)


async def test_a_slow_transfer_goes_from_raw_event_to_flag_to_incident(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        pids = children(it.process.pid)
        assert len(pids) == len(SERVICES)
        asked = it.clock.now()
        slow = {"transfer_id": "slow", "call_id": "c1", "kind": "attended", "from_agent": "1001", "to_agent": "1002"}
        async with connect(it.url("monitor", "/api/v1/feed").replace("http", "ws")) as feed:
            assert json.loads(await feed.recv())["type"] == "hello"
            await feed.send(json.dumps({"type": "subscribe"}))
            await it.say(*a_floor(asked), ("transfer_requested", asked, slow))
            async with asyncio.timeout(PATIENCE_S):
                flag = await flag_over_the_feed(feed, "slow")
            heard = it.clock.now()
        assert flag["rule"] == "slow_transfer"
        assert datetime.fromisoformat(flag["raised"]) == datetime.fromisoformat(flag["started"]) + timedelta(seconds=7)
        assert heard - asked > timedelta(seconds=7), "not before it is slow"

        async with asyncio.timeout(60):
            while not (found := (await it.get("alerts", "/api/v1/incidents"))["incidents"]):
                await asyncio.sleep(0.05)
        (incident,) = found
        assert (incident["rule"], incident["subject_id"], incident["site"]) == ("slow_transfer", "slow", SITE)
        assert (incident["state"], incident["severity"]) == ("open", "critical")
        floor = (await it.get("monitor", "/api/v1/floor"))["floor"]
        assert {agent["agent_id"]: agent["state"] for agent in floor["agents"]}["1001"] in ("consult", "talk")

        it.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(it.process.wait(), PATIENCE_S) == 0, it.said()
    assert not any(alive(pid) for pid in pids), "a process was left behind"
    for port in it.ports.values():
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"somebody still answers on {port}"


async def test_what_is_killed_comes_back_and_a_killed_supervisor_leaves_nobody(tmp_path: Path) -> None:
    async with running(tmp_path) as it:
        await it.say(*a_floor(it.clock.now()))

        async def states() -> dict[str, str]:
            try:
                agents = (await it.get("monitor", "/api/v1/floor"))["floor"]["agents"]
            except httpx.HTTPError:
                return {}
            return {agent["agent_id"]: agent["state"] for agent in agents}

        async def a_call_is_on() -> None:
            async with asyncio.timeout(60):
                while (await states()).get("1001") != "talk":
                    await asyncio.sleep(0.05)

        await a_call_is_on()
        before = await states()
        killed = it.pid_of("monitor")
        os.kill(killed, signal.SIGKILL)
        await until(lambda: it.pid_of("monitor") not in (0, killed), "the monitor is started again")
        async with asyncio.timeout(START_S):
            while await states() != before:
                await asyncio.sleep(0.05)
        assert "monitor ended with SIGKILL" in it.said()

        os.kill(it.pid_of("broker"), signal.SIGKILL)
        await until(lambda: "everything runs again" in it.said(), "all is made anew without its broker", START_S)
        assert await states() == {}, "what was in the broker is gone"
        await it.say(*a_floor(it.clock.now()))
        await a_call_is_on()

        pids = children(it.process.pid)
        assert len(pids) == len(SERVICES)
        it.process.kill()
        await it.process.wait()
        await until(lambda: not any(alive(pid) for pid in pids), "every child is gone")


async def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = {name: free_port() for name in PORTS} | {"ALERTS_PORT": taken.getsockname()[1]}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "floorwatch.cli",
            "run",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(tmp_path, ports),
        )
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2
    assert err.decode() == f"floorwatch: port {ports['ALERTS_PORT']} is taken; set ALERTS_PORT to another one\n"
    assert out == b""


@pytest.mark.parametrize("name", ["MONITOR_PORT", "KAFKA_BOOTSTRAP"])
async def test_a_wrong_setting_is_named_before_anything_starts(tmp_path: Path, name: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "floorwatch.cli",
        "run",
        stderr=asyncio.subprocess.PIPE,
        env=environment(tmp_path, {}) | {name: "nonsense"},
    )
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 2
    assert err.decode().startswith(f"floorwatch: {name}: expected ")
    assert err.decode().count("\n") == 1


async def test_of_two_monitors_one_is_killed_and_the_other_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path, "--monitors", "2") as it:
        ports = [it.ports["MONITOR_PORT"], it.ports["MONITOR_PORT"] + 10]
        assert f"http://127.0.0.1:{ports[1]}/   the same from a replica of its own" in it.said()
        await it.say(*a_floor(it.clock.now()))

        async def states(port: int) -> dict[str, str]:
            try:
                async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
                    floor = (await client.get(f"http://127.0.0.1:{port}/api/v1/floor")).raise_for_status().json()
            except httpx.HTTPError:
                return {}
            return {agent["agent_id"]: agent["state"] for agent in floor["floor"]["agents"]}

        async def agreed(*asked: int) -> dict[str, str]:
            async with asyncio.timeout(START_S):
                while True:
                    found = [await states(port) for port in asked]
                    if found[0].get("1001") == "talk" and all(one == found[0] for one in found):
                        return found[0]
                    await asyncio.sleep(0.05)

        before = await agreed(*ports)
        monitors = [pid for pid, line in children(it.process.pid).items() if SERVICES["monitor"] in line]
        assert len(monitors) == 2
        os.kill(monitors[0], signal.SIGKILL)
        left = [port for port in ports if await states(port)]
        assert len(left) == 1, "one of them still answers"
        assert await agreed(*left) == before
        assert await agreed(*ports) == before, "and the other is started again"
        assert "ended with SIGKILL" in it.said()
