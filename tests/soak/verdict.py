"""Whether it is all there, once: topics, databases, messages, boards, against the model and against an engine never disturbed."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import msgspec

from shared import events, topics
from shared.bus import Bus, Record
from shared.codec import decode_event, encode
from shared.dedup import Passed
from shared.topics import Topic
from tests.fault.alerting import Floor, asked, lines, rows, without_gap
from tests.fault.kit import Downstream, Uninterrupted, by_site, last_checkpoints, read_all
from tests.soak import model as reading
from tests.soak.boards import Board
from tests.soak.ledger import Ledger
from tests.soak.model import Model
from tests.soak.stage import MARK, Stage, connected
from tests.waiting import until

LEASE_S: Final = 120.0  # after which a message is taken up again whose process ended in between
RULES: Final = ("slow_transfer", "failed_handover")
_STAYS: Final = (
    "SELECT site, agent_id, state, started_at, ended_at FROM agent_intervals ORDER BY site, agent_id, started_at"
)
_DAYS: Final = "SELECT site, agent_id, state, sum(lasted_us) FROM agent_days GROUP BY site, agent_id, state"
_CALL_DAYS: Final = "SELECT site, queue, outcome, sum(calls) FROM call_days GROUP BY site, queue, outcome"
_CALLS: Final = "SELECT site, call_id, queue, outcome, agent_id, waited_us FROM call_records"
_TRANSFERS: Final = "SELECT site, transfer_id, outcome, total_us, slow FROM transfer_records"
_DESK_CALLS: Final = "SELECT site, call_id, queue, outcome, agent_id, waited_s FROM calls"
_DESK_TRANSFERS: Final = "SELECT site, transfer_id, outcome, total_s, slow FROM transfers"


@dataclass
class Verdict:
    """`wrong`: what is not as it must be and is in no ledger, in words."""

    ledgers: list[Ledger] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        return not self.wrong and all(one.exact for one in self.ledgers)

    def must(self, so: bool, otherwise: str) -> None:
        if not so:
            self.wrong.append(otherwise)


# ---------------------------------------------------------------- while everything still runs


async def settled(stage: Stage, model: Model, verdict: Verdict, *, patience_s: float) -> None:
    """Wait until people were told of everything and databases have every row; what is missing then is in the ledgers."""

    async def made() -> list[Ledger]:
        found = [*await _incidents(stage, model), *await _rows_of_alerts(stage, model)]
        return [*found, *await _rows_of_monitors(stage, model), *await _messages(stage, model)]

    async def complete() -> bool:
        return await _nothing_waits(stage) and all(one.complete for one in await made())

    with contextlib.suppress(AssertionError):  # the ledgers say what is missing
        await until(complete, timeout_s=patience_s, every_s=0.2)
    verdict.ledgers += await made()
    verdict.must(await _nothing_waits(stage), "messages or lines of histories still wait")
    async with connected(stage.broker) as bus:
        try:
            without_gap(await lines(bus))
        except AssertionError as exc:
            verdict.wrong.append(f"topic incidents: {exc}")


async def _nothing_waits(stage: Stage) -> bool:
    """Whether every message is sent, and every line of a history published."""
    async with asked(stage.database) as database:
        waiting = await rows(database, "SELECT count(*) FROM messages WHERE state = 'waiting'")
        unpublished = await rows(database, "SELECT count(*) FROM incident_events WHERE NOT published")
    return waiting == unpublished == [(0,)]


async def _incidents(stage: Stage, model: Model) -> list[Ledger]:
    ledger = model.incidents()
    for one in await Floor(stage.services["alerts"]).incidents():
        if one["rule"] in RULES:
            ledger.take([(one["site"], one["rule"], one["subject_id"])] * one["flags"])
    return [ledger]


async def _messages(stage: Stage, model: Model) -> list[Ledger]:
    """By webhook and by mail. What came again and says so is allowed."""
    subjects: dict[int, Hashable] = {}
    for one in await Floor(stage.services["alerts"]).incidents():
        subjects[one["number"] if "number" in one else one["id"]] = (one["site"], one["rule"], one["subject_id"])
    hook = model.incidents("messages by webhook")
    copies: dict[str, int] = Counter()
    for body in stage.hook.received:
        copies[body["key"]] += 1
        told = [(one["site"], one["rule"], one["subject_id"]) for one in body["incidents"]]
        hook.take(told)
        if body["may_be_repeated"] and copies[body["key"]] > 1:
            hook.allowed.update(told)
    mail = model.incidents("messages by mail")
    mail.take(subjects.get(_number(one["Subject"]), one["Subject"]) for one in stage.mail.received)
    for one in await Floor(stage.services["alerts"]).messages():
        if one["receiver"] == "mail" and one["maybe_before"]:
            mail.allowed.update(subjects[number] for number in _told_of(one))
    return [hook, mail]


def _number(subject: str) -> int:
    return int(subject.rpartition("incident ")[2].split()[0])


def _told_of(message: Any) -> list[int]:
    return [int(one["number"] if isinstance(one, dict) else one) for one in message["incidents"]]


async def _rows_of_alerts(stage: Stage, model: Model) -> list[Ledger]:
    calls, transfers = model.calls("calls recorded by alerts"), model.transfers("transfers recorded by alerts")
    stays = model.stays("agents' time recorded by alerts")
    async with asked(stage.database) as database:
        calls.take((*row[:5], row[5] // 1000) for row in await rows(database, _CALLS))
        transfers.take((*row[:3], _ms(row[3], 1000), row[4]) for row in await rows(database, _TRANSFERS))
        found = await rows(database, _STAYS)
        sums, counts = model.sums(), model.counts()
        sums.take((*row[:3], int(row[3]) // 1000) for row in await rows(database, _DAYS) if row[3])
        counts.take((*row[:3], int(row[3])) for row in await rows(database, _CALL_DAYS) if row[3])
    stays.take(reading.stay_keys((*row[:3], _utc(row[3]), _utc(row[4])) for row in found))
    return [calls, transfers, stays, sums, counts]


async def _rows_of_monitors(stage: Stage, model: Model) -> list[Ledger]:
    calls, transfers = (
        model.calls("calls recorded by monitors"),
        model.transfers("transfers recorded by monitors", shown=True),
    )
    async with asked(stage.databases.url("monitor")) as database:
        calls.take((*row[:5], round(row[5] * 1000)) for row in await rows(database, _DESK_CALLS))
        transfers.take((*row[:3], _ms(row[3], 0.001), row[4]) for row in await rows(database, _DESK_TRANSFERS))
    return [calls, transfers]


def _ms(value: float | None, per_ms: float) -> int | None:
    return None if value is None else round(value / per_ms)


def _utc(found: str | datetime) -> datetime:
    """SQLite keeps moments as text."""
    return datetime.fromisoformat(found).replace(tzinfo=UTC) if isinstance(found, str) else found


# ---------------------------------------------------------------- the log, and what was made of it


async def judged(stage: Stage, model: Model, verdict: Verdict) -> None:
    """Ingest is stopped: monitors, boards and the topics are compared with each other, with an engine, and with the model."""
    await _end(stage, ["ingest"], verdict)
    async with connected(stage.broker) as bus:
        records = await _readable(bus, topics.FLOOR_EVENTS)
        truth = Uninterrupted(records, stage.sites, stage.folder / "rules.yaml")
        _events(records, model, verdict)
        await _refused(bus, stage, model, verdict)
        await _pictures(stage, model, truth, verdict)
        await _end(stage, ["monitor-a", "monitor-b", "alerts", "relay"], verdict)
        await _facts(bus, model, truth, _ends(records), verdict)
        ended = await last_checkpoints(bus, "monitor", truth.offsets)
        verdict.must(len(ended) >= 2, f"{len(ended)} of 2 monitors have a checkpoint of everything")
        verdict.must(
            all(by_site(one.state) == truth.state() for one in ended),
            "a monitor's state is not that of an engine that was never disturbed",
        )


async def _end(stage: Stage, names: list[str], verdict: Verdict) -> None:
    for name in names:
        try:
            await stage.services[name].stop()
        except (AssertionError, TimeoutError) as exc:
            verdict.wrong.append(f"{name} did not end well: {exc}")


async def _readable(bus: Bus, topic: Topic) -> list[Record]:
    """What is on `topic` but for what a fault wrote there."""
    return [record for record in await read_all(bus, topic) if all(name != MARK for name, _ in record.headers)]


def _ends(records: list[Record]) -> dict[str, datetime]:
    """Each site's clock in the end."""
    found: dict[str, datetime] = {}
    for event in (decode_event(record.value) for record in records):
        found[event.site] = max(event.time, found.get(event.site, event.time))
    return found


def _events(records: list[Record], model: Model, verdict: Verdict) -> None:
    passed, ledger = Passed(), model.events()
    again = 0
    for record in records:
        event = decode_event(record.value)
        if isinstance(event.data, events.Clock):
            continue
        if passed.seen(event.site, event.rawpartition, event.rawoffset, event.rawindex):
            again += 1
        else:
            ledger.take([reading.event_key(event)])
    verdict.ledgers.append(ledger)
    verdict.notes.append(f"published again after a fault and dropped by their positions: {again} events")


async def _refused(bus: Bus, stage: Stage, model: Model, verdict: Verdict) -> None:
    """Each reader of a topic refuses what nobody can read, after a restart once more; its place tells that it is the same."""
    ledger = model.refused(stage.spoilt)
    places: dict[Hashable, Hashable] = {}
    records = await read_all(bus, topics.SWITCH_DEAD_LETTER)
    for record in records:
        said = {name: value.decode(errors="replace") for name, value in record.headers}
        mark = said.get(f"original-{MARK}")
        name: Hashable = (MARK, mark) if mark else (said["original-site"], int(said["original-seq"]))
        places[said["topic"], said["partition"], said["offset"]] = name
    ledger.take(places.values())
    verdict.ledgers.append(ledger)
    verdict.notes.append(f"dead letters: {len(records)} of {len(places)} records")


async def _facts(bus: Bus, model: Model, truth: Uninterrupted, ended: Mapping[str, datetime], verdict: Verdict) -> None:
    flags, calls, transfers, stays = model.flags(ended), model.calls(), model.transfers(), model.stays()
    for topic in (topics.FLOOR_FLAGS, topics.FLOOR_RECORDS):
        seen = Downstream(topic)
        seen.take(await _readable(bus, topic))
        for site in model.story.sites:
            verdict.must(
                seen.of(site) == truth.of(site, topic),
                f"{topic.name}: {site} is not what an engine makes of the events",
            )
        flags.take(reading.flag_keys(seen.facts))
        calls.take(reading.call_keys(seen.facts))
        transfers.take(reading.transfer_keys(seen.facts))
        stays.take(reading.stay_keys(reading.intervals(seen.facts)))
        verdict.notes.append(
            f"{topic.name}: {seen.read} records, {len(seen.facts)} after dropping what both monitors said"
        )
    verdict.ledgers += [flags, calls, transfers, stays]


# ---------------------------------------------------------------- what is shown


async def _pictures(stage: Stage, model: Model, truth: Uninterrupted, verdict: Verdict) -> None:
    """Every board shows what its monitor's API says, and both monitors what the engine and the model say."""
    expected = json.loads(encode(truth.engine.floor_view()))
    async with _clients(stage) as clients:

        async def differences() -> list[str]:
            found = []
            for name, client in clients.items():
                if _sorted(await _floor(client)) != _sorted(expected):
                    found.append(f"{name} does not show what an engine that was never disturbed shows")
            for board in stage.boards:
                name = f"monitor-{board.monitor.name}" if board.monitor is not None else ""
                if name not in clients:
                    found.append(f"board {board.name} is not connected")
                elif (why := _differs(board, await _floor(clients[name], board.wanted.query))) != "":
                    found.append(f"board {board.name}: {why}")
            return found

        async def same() -> bool:
            return not await differences()

        with contextlib.suppress(AssertionError):
            await until(same, every_s=0.2)
        verdict.wrong += await differences()
    for board in stage.boards:
        verdict.wrong += [f"board {board.name} heard {why}" for why in dict.fromkeys(board.wrong)]
    shown = {(one["site"], one["agent_id"]): one["state"] for one in expected["agents"]}
    verdict.must(shown == model.agents(), "agents are not shown in the state in which the story leaves them")
    counts = {
        (one["site"], one["queue"]): {name: one[name] for name in ("offered", "answered", "abandoned")}
        for one in expected["queues"]
    }
    verdict.must(counts == model.queues(), f"queues count {counts}, the story {model.queues()}")
    verdict.must(not expected["calls"], "calls are shown that are over")


@contextlib.asynccontextmanager
async def _clients(stage: Stage) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    async with contextlib.AsyncExitStack() as stack:
        yield {
            f"monitor-{one.name}": await stack.enter_async_context(httpx.AsyncClient(base_url=one.url, timeout=30))
            for one in stage.monitors
        }


async def _floor(client: httpx.AsyncClient, query: str = "") -> Any:
    answer = (await client.get(f"/api/v1/floor?{query}")).raise_for_status()
    return msgspec.json.decode(answer.content)["floor"]


def _sorted(floor: Any) -> Any:
    return {name: sorted(entities, key=json.dumps) for name, entities in floor.items()}


def _differs(board: Board, floor: Any) -> str:
    """Where the board shows something else; "" when nowhere."""
    chosen = board.wanted.channels
    for kind, shown in board.shown().items():
        if chosen and f"{kind}s" not in chosen:
            continue
        told = {json.dumps(one) for one in shown.values()}
        asked_for = {json.dumps(one) for one in floor[f"{kind}s"]}
        if odd := told ^ asked_for:
            return (
                f"{kind}: {len(told)} shown, {len(asked_for)} at the API, {len(odd)} differ, such as {min(odd)[:300]}"
            )
    return ""
