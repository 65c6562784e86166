"""Commands to a switch: each carried out once, answered, and none kept waiting by another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.ingest.connectors.common import commands as reading
from services.ingest.connectors.common.commands import CommandFailed, CommandReader, CommandRefused, Handler
from shared import topics
from shared.clock import FakeClock
from shared.codec import encode
from shared.commands import AgentPause, Command, ListenMode, ListenStart, ListenStop, Resync, make
from shared.envelope import Data
from shared.errors import BusError
from shared.events import CommandAnswered
from shared.memorybus import MemoryBus
from tests.ingestkit import T0
from tests.waiting import until


def listen(fork: str = "f1") -> ListenStart:
    return ListenStart(
        fork_id=fork,
        call_id="c1",
        leg_id="l1",
        agent_id="1001",
        side="agent",
        audio="split",
        media="audiosocket://127.0.0.1:8604",
    )


class Site:
    """A reader for site `hq` whose handlers do what `does` says; `did` is what they were given, `told` the answers."""

    def __init__(self) -> None:
        self.clock = FakeClock(T0)
        self.bus = MemoryBus(self.clock)
        self.did: list[Data] = []
        self.told: list[CommandAnswered] = []
        self.does: dict[str, Any] = {}  # fork_id -> what its handler raises, or the event that it waits for
        self._sent = 0
        handlers: dict[type[Data], Handler] = {
            ListenStart: self.handle,
            ListenStop: self.handle,
            ListenMode: self.handle,
            Resync: self.handle,
        }
        self.reader = CommandReader(self.bus, self.clock, "hq", handlers, self.tell, who="test")
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._task = asyncio.create_task(self.reader.run())
        await until(self.reader.listening.is_set)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def handle(self, data: Data) -> None:
        self.did.append(data)
        what = self.does.get(getattr(data, "fork_id", ""))
        if isinstance(what, Exception):
            raise what
        if isinstance(what, asyncio.Event):
            await what.wait()

    async def tell(self, answer: CommandAnswered) -> None:
        self.told.append(answer)

    async def send(
        self, data: Data, *, id: str = "", site: str = "hq", expires_s: float = 5.0, key: str = ""
    ) -> Command:
        self._sent += 1
        now = self.clock.now()
        command = make(
            data,
            id=id or f"k{self._sent}",
            source="/test",
            site=site,
            time=now,
            expires=now + timedelta(seconds=expires_s),
            by="li",
        )
        await self.bus.publish(topics.SWITCH_COMMANDS, encode(command), key=key or site)
        return command

    def outcomes(self, command_id: str) -> list[str]:
        return [answer.outcome for answer in self.told if answer.command_id == command_id]

    async def answered(self, command: Command, *outcomes: str) -> None:
        await until(lambda: self.outcomes(command.id) == list(outcomes), f"{outcomes} of {command.id}: {self.told}")

    def letters(self) -> list[dict[str, str]]:
        return [
            {name: value.decode() for name, value in record.headers}
            for record in self.bus.records(topics.SWITCH_DEAD_LETTER)
        ]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    await site.bus.create(topics.ALL)
    yield site
    await site.close()


async def test_a_command_is_taken_before_it_is_carried_out_and_answered_after(site: Site) -> None:
    await site.open()
    site.does["f1"] = gate = asyncio.Event()
    command = await site.send(listen())
    await until(lambda: site.did == [command.data])
    assert site.outcomes(command.id) == ["taken"]
    gate.set()
    await site.answered(command, "taken", "done")
    answer = site.told[-1]
    assert (answer.action, answer.fork_id, answer.agent_id, answer.call_id) == ("listen_start", "f1", "1001", "c1")
    assert site.reader.answers == {("listen_start", "taken"): 1, ("listen_start", "done"): 1}


async def test_what_was_wanted_before_the_start_is_nobody_s(site: Site) -> None:
    await site.send(listen("before"))
    await site.bus.flush()
    await site.open()
    after = await site.send(listen("after"))
    await site.answered(after, "taken", "done")
    assert [data.fork_id for data in site.did if isinstance(data, ListenStart)] == ["after"]


async def test_it_is_carried_out_once_however_often_it_comes(site: Site) -> None:
    await site.open()
    for _ in range(3):
        await site.send(listen(), id="same")
    last = await site.send(listen("f2"))
    await site.answered(last, "taken", "done")
    assert len(site.did) == 2


async def test_ids_are_remembered_in_bounded_memory(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "REMEMBERED", 3)
    await site.open()
    for number in range(5):
        await site.send(listen(f"f{number}"), id=f"id{number}")
    again = await site.send(listen("f4"), id="id4")
    last = await site.send(listen("f9"))
    await site.answered(last, "taken", "done")
    assert site.outcomes(again.id) == ["taken", "done"], "the newest ids are known"
    assert len(site.reader._seen) == 3


async def test_one_that_expired_is_not_carried_out(site: Site) -> None:
    await site.open()
    late = await site.send(listen(), expires_s=-0.1)
    await site.answered(late, "expired")
    assert site.did == []


async def test_commands_of_another_site_are_left_to_its_connector(site: Site) -> None:
    await site.open()
    await site.send(listen("elsewhere"), site="dresden")
    ours = await site.send(listen())
    await site.answered(ours, "taken", "done")
    assert len(site.did) == 1
    assert site.letters() == []


async def test_what_failed_says_why(site: Site) -> None:
    await site.open()
    site.does = {"f1": CommandFailed("no such call"), "f2": CommandRefused("not here"), "f3": KeyError("ours")}
    failed, refused = await site.send(listen("f1")), await site.send(listen("f2"))
    with capture_logs() as logs:
        broken = await site.send(listen("f3"))
        await site.answered(broken, "taken", "failed")
    await site.answered(failed, "taken", "failed")
    await site.answered(refused, "taken", "refused")
    reasons = {answer.command_id: answer.reason for answer in site.told if answer.outcome != "taken"}
    assert reasons[failed.id] == "no such call"
    assert reasons[refused.id] == "not here"
    assert any(line.get("exc_info") for line in logs), "a fault of ours is in the log"


async def test_what_the_connector_cannot_do_is_refused_and_not_taken(site: Site) -> None:
    await site.open()
    command = await site.send(AgentPause(agent_id="1001"))
    await site.answered(command, "refused")
    assert site.told[0].agent_id == "1001"


async def test_a_slow_one_delays_those_of_its_own_fork_only(site: Site) -> None:
    await site.open()
    site.does["slow"] = gate = asyncio.Event()
    start = await site.send(listen("slow"))
    stop = await site.send(ListenStop(fork_id="slow"))
    other = await site.send(listen("quick"))
    await site.answered(other, "taken", "done")
    assert site.outcomes(stop.id) == []
    gate.set()
    await site.answered(stop, "taken", "done")
    assert site.outcomes(start.id) == ["taken", "done"]


async def test_a_stop_that_came_in_time_outlives_a_long_start_but_a_mode_does_not(site: Site) -> None:
    await site.open()
    site.does["slow"] = gate = asyncio.Event()
    await site.send(listen("slow"))
    mode = await site.send(ListenMode(fork_id="slow", mode="barge"))
    stop = await site.send(ListenStop(fork_id="slow"))
    await until(lambda: site.did)
    await site.clock.advance(7)
    gate.set()
    await site.answered(mode, "expired")
    await site.answered(stop, "taken", "done")


async def test_one_that_never_ends_is_given_up(site: Site) -> None:
    await site.open()
    site.does["f1"] = asyncio.Event()
    command = await site.send(listen())
    await until(lambda: site.did)
    await site.clock.advance(reading.LIMIT_S + 0.1)
    await site.answered(command, "taken", "failed")
    assert "15 s" in site.told[-1].reason


async def test_so_many_side_by_side_and_no_more(site: Site) -> None:
    await site.open()
    gate = asyncio.Event()
    sent = []
    for number in range(reading.AT_ONCE + 3):
        site.does[f"f{number}"] = gate
        sent.append(await site.send(listen(f"f{number}")))
    await until(lambda: len(site.did) == reading.AT_ONCE)
    await site.clock.advance(0)
    assert len(site.did) == reading.AT_ONCE
    gate.set()
    for command in sent:
        await site.answered(command, "taken", "done")


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"{", "not_json"), (b'{"type": "floorwatch.listen_start.v1"}', "invalid_event")],
)
async def test_what_cannot_be_read_is_put_aside_with_reason_and_place(site: Site, value: bytes, reason: str) -> None:
    await site.open()
    await site.bus.publish(topics.SWITCH_COMMANDS, value, key="hq")
    await site.bus.publish(topics.SWITCH_COMMANDS, value, key="dresden")
    command = await site.send(listen())
    await site.answered(command, "taken", "done")
    (letter,) = site.letters()
    assert (letter["reason"], letter["topic"], letter["offset"]) == (reason, "switch.commands", "0")
    assert site.reader.unreadable == 1


async def test_a_command_under_another_site_s_key_is_put_aside(site: Site) -> None:
    await site.open()
    await site.send(listen(), site="dresden", key="hq")
    command = await site.send(listen("f2"))
    await site.answered(command, "taken", "done")
    assert [letter["reason"] for letter in site.letters()] == ["wrong_site"]


async def test_it_reads_on_where_it_was_when_the_broker_comes_back(site: Site) -> None:
    await site.open()
    first = await site.send(listen("f1"))
    await site.answered(first, "taken", "done")
    site.bus.break_down()
    await site.clock.advance(1)
    site.bus.recover()
    between = await site.send(listen("f2"), expires_s=60)
    await site.clock.advance(15)
    await site.answered(between, "taken", "done")
    assert len(site.did) == 2


async def test_a_topic_made_anew_is_read_from_its_start(site: Site) -> None:
    await site.open()
    for number in range(3):
        await site.answered(await site.send(listen(f"f{number}")), "taken", "done")
    site.bus.forget_everything()
    await site.bus.create(topics.ALL)
    first = await site.send(listen("anew"), expires_s=60)
    await site.bus.flush()
    await site.clock.advance(30)
    await site.answered(first, "taken", "done")


async def test_a_command_that_cannot_be_said_to_be_taken_is_not_carried_out() -> None:
    class Deaf(Site):
        async def tell(self, answer: CommandAnswered) -> None:
            raise BusError("away")

    site = Deaf()
    await site.bus.create(topics.ALL)
    await site.open()
    try:
        with capture_logs() as logs:
            await site.send(listen())
            await until(lambda: any("answer cannot be written" in line["event"] for line in logs))
        assert site.did == []
    finally:
        await site.close()
