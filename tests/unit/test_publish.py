"""`floorwatch publish`: what reaches `switch.raw`, and when."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from floorwatch.publish import HEARTBEAT_S, Publisher, of_kafka
from shared import topics
from shared.bus import Reader
from shared.clock import FakeClock
from shared.memorybus import MemoryBus
from shared.raw import Raw, from_record
from shared.settings import CommonSettings, load

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # when the recording was made
NOW = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


def recorded(*at_s: float) -> list[Raw]:
    return [
        Raw(
            value=b"packet %d" % number,
            vendor="asterisk",
            site="hq",
            connector="replay",
            received=T0 + timedelta(seconds=at),
            session="file",
            seq=number,
        )
        for number, at in enumerate(at_s)
    ]


class Stage:
    def __init__(self, *, speed: float = 1.0, as_of_now: bool = True) -> None:
        self.bus = MemoryBus()
        self.clock = FakeClock(NOW)
        self.publisher = Publisher(self.bus, self.clock, vendor="asterisk", site="hq", speed=speed, as_of_now=as_of_now)
        self._reader: Reader | None = None

    async def arrived(self) -> list[Raw]:
        """What is new on the topic."""
        if self._reader is None:
            self._reader = await self.bus.read([topics.SWITCH_RAW])
        found = await self._reader.getmany(timeout_s=0.01)
        return [from_record(r.value, r.headers, r.partition, r.offset, r.written) for r in found]


def said(raws: list[Raw]) -> list[str]:
    """Packets as they are, link records by type."""
    return [raw.value.decode() if raw.kind == "event" else json.loads(raw.value)["type"] for raw in raws]


UP, DOWN = "floorwatch.link_up.v1", "floorwatch.link_down.v1"


@pytest.fixture
async def stage() -> Stage:
    stage = Stage()
    await stage.bus.create(topics.ALL)
    return stage


async def test_each_packet_comes_at_its_time_between_link_up_and_link_down() -> None:
    stage = Stage(speed=2.0)
    await stage.bus.create(topics.ALL)
    run = asyncio.create_task(stage.publisher.run(iter(recorded(0, 1, 6))))
    await stage.clock.advance(0)
    assert said(await stage.arrived()) == [UP, "packet 0"]
    await stage.clock.advance(0.49)
    assert await stage.arrived() == []
    await stage.clock.advance(0.01)
    assert said(await stage.arrived()) == ["packet 1"]
    await stage.clock.advance(2.5)
    assert said(await stage.arrived()) == ["packet 2", DOWN]
    await run


async def test_the_link_says_that_it_is_a_replay_and_how_fast() -> None:
    stage = Stage(speed=4.0)
    await stage.bus.create(topics.ALL)
    await stage.publisher.run(iter(recorded(0)))
    up, packet, down = await stage.arrived()
    assert (up.kind, packet.kind, down.kind) == ("link", "event", "link")
    assert json.loads(up.value)["data"] == {
        "connector": "replay",
        "switch": "a recording (asterisk)",
        "replay": True,
        "speed": 4.0,
    }
    assert json.loads(down.value)["data"]["reason"] == "the recording is over"


async def test_times_are_moved_so_that_the_recording_begins_now(stage: Stage) -> None:
    await stage.publisher.run(iter(recorded(0)))
    up, packet, _ = await stage.arrived()
    assert packet.received == NOW
    assert T0 + timedelta(seconds=packet.shift_s) == NOW
    assert "time" not in json.loads(up.value), "a connector that does not know the switch's time says none"


async def test_original_times_stay() -> None:
    stage = Stage(as_of_now=False)
    await stage.bus.create(topics.ALL)
    await stage.publisher.run(iter(recorded(0)))
    assert {raw.shift_s for raw in await stage.arrived()} == {0.0}


async def test_every_record_is_numbered_within_a_session_of_its_own(stage: Stage) -> None:
    await stage.publisher.run(iter(recorded(0, 0)))
    first = await stage.arrived()
    assert [raw.seq for raw in first] == [0, 1, 2, 3]
    await stage.clock.advance(1)
    again = Publisher(stage.bus, stage.clock, vendor="asterisk", site="hq", speed=1, as_of_now=True)
    await again.run(iter(recorded(0)))
    assert {raw.session for raw in await stage.arrived()}.isdisjoint({raw.session for raw in first})


async def test_a_long_silence_in_the_recording_is_no_silence_of_the_link(stage: Stage) -> None:
    run = asyncio.create_task(stage.publisher.run(iter(recorded(0, 3 * HEARTBEAT_S))))
    await stage.clock.advance(0)
    await stage.arrived()
    await stage.clock.advance(2 * HEARTBEAT_S + 0.1)
    assert said(await stage.arrived()) == [UP, UP]
    await stage.clock.advance(HEARTBEAT_S)
    await run


async def test_stopping_says_that_the_link_is_down(stage: Stage) -> None:
    run = asyncio.create_task(stage.publisher.run(iter(recorded(0, 60))))
    await stage.clock.advance(0)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    *_, last = await stage.arrived()
    assert json.loads(last.value)["data"] == {"connector": "replay", "reason": "the recording was stopped"}


async def test_an_empty_recording_publishes_nothing(stage: Stage) -> None:
    await stage.publisher.run(iter([]))
    assert await stage.arrived() == []


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, "127.0.0.1:9392"),
        ({"BROKER_PORT": "9500"}, "127.0.0.1:9500"),
        ({"BROKER_PORT": "9500", "KAFKA_BOOTSTRAP": "kafka:9092"}, "kafka:9092"),
    ],
)
def test_it_goes_where_run_has_its_broker_unless_told(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], expected: str
) -> None:
    for name in ("BROKER_PORT", "KAFKA_BOOTSTRAP"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert of_kafka(load(CommonSettings)).kafka_bootstrap == expected
