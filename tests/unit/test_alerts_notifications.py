"""Notifications really sent: to an HTTP server and a mail server, through apprise itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Connection

from services.alerts.alertfile.reading import load_alerts
from services.alerts.reach import sender
from services.alerts.reach.channels import Channels
from shared.clock import SystemClock
from shared.db import Database
from shared.errors import SettingsError
from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, Alerts, publish, running
from tests.flagkit import clearing, flag
from tests.sinks import HttpSink, MailSink, listening
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)


@pytest.fixture
async def bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.create(TOPICS)
    return bus


@pytest.fixture
async def database(alerts_db: Database) -> Database:
    return alerts_db


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    sink = HttpSink()
    async with listening(sink):
        yield sink


async def sent(alerts: Alerts, number: int = 1) -> list[Any]:
    """The notifications of an incident once none waits any more."""

    async def done() -> Any:
        found = await alerts.client.get(f"/api/v1/incidents/{number}")
        rows = found.json().get("notifications", [])
        return rows if rows and all(row["state"] != "waiting" for row in rows) else None

    found: list[Any] = await until(done)
    return found


async def counted(alerts: Alerts, outcome: str, number: int) -> None:
    """Wait until so many are counted, which they are once their row is written."""
    await until(lambda: alerts.metric("alerts_notifications_total", outcome=outcome) >= number)
    assert alerts.metric("alerts_notifications_total", outcome=outcome) == number


async def test_one_notification_for_an_incident_with_what_one_needs_to_know(
    bus: MemoryBus, database: Database, sink: HttpSink
) -> None:
    async with running(bus, database, notify_urls=(sink.url,), public_url="https://alerts.test/") as alerts:
        await publish(bus, flag("f1", simulated=True), flag("f2", simulated=True), flag("f1"), clearing("f1"))
        (row,) = await sent(alerts)
        assert (row["state"], row["channel"], len(row["attempts"])) == ("sent", f"JSON 127.0.0.1:{sink.port}", 1)
        assert "secret-path" not in str(row)
        await alerts.post("/incidents/1/acknowledge", {"by": "Li"})
        await publish(bus, flag("f3", "t3"))
        await sent(alerts, 2)
        await counted(alerts, "sent", 2)
    first, second = sink.received
    assert first["title"] == (
        "[SIMULATED] [CRITICAL] #1 Chen Jing's transfer has taken more than 7 s · 陈静 转接已超过 7 秒"
    )
    for said in (
        "陈静 转接已超过 7 秒",
        "First floor",
        "Chen Jing (t1)",
        "2026-11-22 09:00:00 +08:00 (switch time)",
        "https://alerts.test/#incident=1",
        "simulated floor",
    ):
        assert said in first["message"]
    assert "SIMULATED" not in second["title"]
    assert "simulated" not in second["message"]


async def test_a_flag_and_its_message_write_three_times_and_no_more(
    bus: MemoryBus, database: Database, sink: HttpSink
) -> None:
    """One writes at a time, so each turn too many makes people wait: the incident, the claim of its message, the answer."""
    turns: Counter[str] = Counter()

    @event.listens_for(database.engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        task = asyncio.current_task()
        if task is not None and connection.get_execution_options().get("begin") == "IMMEDIATE":
            turns[task.get_name()] += 1

    async with running(bus, database, notify_urls=(sink.url,)) as alerts:
        await publish(bus, flag("f1"))
        await counted(alerts, "sent", 1)
        await until(lambda: not alerts.service.reach.sender.busy, "the worker has ended")
    assert turns["pipeline"] == 1
    assert sum(number for name, number in turns.items() if name.startswith("send to")) == 2


async def test_what_is_played_back_says_so(bus: MemoryBus, database: Database, sink: HttpSink) -> None:
    async with running(bus, database, notify_urls=(sink.url,)) as alerts:
        await publish(bus, flag("f1", replay=True))
        await sent(alerts)
        report = await alerts.client.get("/api/v1/incidents/1/report", params={"format": "md"})
        assert (await alerts.client.get("/api/v1/incidents/1")).json()["incident"]["replay"] is True
    (message,) = sink.received
    assert message["title"].startswith("[REPLAY] [CRITICAL]")
    assert "recording played back" in message["message"]
    assert "REPLAY" in report.text


async def test_a_name_wakes_no_group_in_a_chat(bus: MemoryBus, database: Database, sink: HttpSink) -> None:
    chat = f"mmost://127.0.0.1:{sink.port}/abcdefghijklmnopqrstuvwx12?rto=60&cto=60"
    name = "@all <!channel> [hear it](https://evil.example)"
    wicked = flag("f1", summary_en=name, summary_zh=name, labels={"agent": "1001", "agent_name": name})
    async with running(bus, database, notify_urls=(chat, sink.url), public_url="https://alerts.test/") as alerts:
        await publish(bus, wicked)
        assert {row["state"] for row in await sent(alerts)} == {"sent"}
    (chatted,) = (str(one) for one in sink.received if "secret-path" not in str(one) and "text" in one)
    (programs,) = (one for one in sink.received if "message" in one)
    assert "＠all ‹!channel› ［hear it］(https：//evil·example)" in chatted
    assert not any(active in chatted for active in ("@all", "<!channel", "](", "https://evil"))
    assert "https://alerts.test/#incident=1" in chatted
    assert name in programs["message"]  # what reads JSON is told it as it is


async def test_a_mail_arrives_in_both_languages(bus: MemoryBus, database: Database) -> None:
    sink = MailSink()
    async with listening(sink), running(bus, database, notify_urls=(sink.url,)) as alerts:
        await publish(bus, flag())
        (row,) = await sent(alerts)
        assert row["state"] == "sent", row
    (mail,) = sink.received
    assert "#1 Chen Jing's transfer has taken more than 7 s" in mail["subject"]
    body = mail.get_body(("plain", "html"))
    assert body is not None
    assert "陈静 转接已超过 7 秒" in body.get_content()


async def test_without_a_channel_the_incident_says_so(bus: MemoryBus, database: Database) -> None:
    async with running(bus, database) as alerts:
        await publish(bus, flag())
        (row,) = await sent(alerts)
        assert (row["state"], row["answer"], row["attempts"]) == ("no_channel", "no channel configured", [])
        assert (await alerts.get("/status"))["channels"] == []
        await counted(alerts, "no_channel", 1)


async def test_a_refusal_is_recorded_and_tried_again(
    bus: MemoryBus, database: Database, sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "RETRIES", (timedelta(seconds=0.01),) * 5)
    sink.answers = [500, 503]
    async with running(bus, database, notify_urls=(sink.url,)) as alerts:
        await publish(bus, flag())
        (row,) = await sent(alerts)
    assert [attempt["ok"] for attempt in row["attempts"]] == [False, False, True]
    assert "500" in row["attempts"][0]["answer"]
    assert "503" in row["attempts"][1]["answer"]
    assert row["state"] == "sent"
    assert len(sink.received) == 3


async def test_it_gives_up_after_some_attempts_and_says_so(
    bus: MemoryBus, database: Database, sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "RETRIES", (timedelta(seconds=0.01),) * 2)
    sink.answers = [500] * 9
    async with running(bus, database, notify_urls=(sink.url,)) as alerts:
        await publish(bus, flag())
        (row,) = await sent(alerts)
        await counted(alerts, "failed", 1)
    assert (row["state"], len(row["attempts"]), row["next_attempt_at"]) == ("failed", 3, None)
    assert row["answer"].startswith("given up after 3 attempts")
    assert len(sink.received) == 3


async def test_a_channel_that_fails_does_not_repeat_the_others(
    bus: MemoryBus, database: Database, sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "RETRIES", (timedelta(seconds=0.01),) * 2)
    async with running(bus, database, notify_urls=(sink.url, "json://127.0.0.1:1/")) as alerts:
        await publish(bus, flag())
        rows = await sent(alerts)
    assert [row["state"] for row in rows] == ["sent", "failed"]
    assert len(sink.received) == 1


async def test_what_was_not_sent_before_a_stop_is_sent_after_it(
    bus: MemoryBus, database: Database, sink: HttpSink
) -> None:
    sink.answers = [500]
    async with running(bus, database, notify_urls=(sink.url,)) as alerts:
        await publish(bus, flag())

        async def refused() -> bool:
            found = await alerts.client.get("/api/v1/incidents/1")
            return any(row["attempts"] for row in found.json().get("notifications", []))

        await until(refused)
    assert len(sink.received) == 1
    later = Later(timedelta(seconds=6))
    async with running(bus, database, clock=later, notify_urls=(sink.url,)) as alerts:
        (row,) = await sent(alerts)
    assert [attempt["ok"] for attempt in row["attempts"]] == [False, True]
    assert len(sink.received) == 2


async def test_an_incident_that_was_resolved_meanwhile_is_not_told(
    bus: MemoryBus, database: Database, sink: HttpSink
) -> None:
    sink.answering.clear()
    async with running(bus, database, notify_urls=(sink.url,)) as alerts:
        await publish(bus, flag("f1"))

        async def arrived() -> bool:
            return bool(sink.received)

        await until(arrived)  # the first one is on its way; the second waits behind it
        await publish(bus, flag("f2", "t2"))

        async def there() -> bool:
            return len(await alerts.incidents()) == 2

        await until(there)
        await alerts.post("/incidents/2/resolve", {"by": "Li"})
        sink.answering.set()
        (row,) = await sent(alerts, 2)
    assert (row["state"], row["answer"]) == ("withheld", "resolved before it could be sent")
    assert len(sink.received) == 1


async def test_after_an_outage_only_what_still_holds_is_told(
    bus: MemoryBus, database: Database, sink: HttpSink
) -> None:
    await publish(bus, flag("f1", "t1"), clearing("f1"), flag("f2", "t2"))
    async with running(bus, database, clock=Later(timedelta(hours=3)), notify_urls=(sink.url,)) as alerts:
        (over,) = await sent(alerts, 1)
        (holds,) = await sent(alerts, 2)
    assert (over["state"], holds["state"]) == ("withheld", "sent")
    assert "late" in over["answer"]
    assert [one["title"].split()[1] for one in sink.received] == ["#2"]


def channels(*urls: str) -> Channels:
    return Channels(load_alerts(None, urls).receivers.values())


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        (["json://host/", "nonsense://secret"], r"entry 2 \(nonsense://\.\.\.\)"),
        (["json://host/x", "json://host/x"], "entry 2 is there twice"),
    ],
)
def test_a_wrong_url_is_refused_at_the_start_without_repeating_it(urls: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=f"ALERTS_NOTIFY_URLS: {said}") as error:
        channels(*urls)
    assert "secret" not in str(error.value)


def test_names_of_channels_hold_no_secret_and_tell_them_apart() -> None:
    found = channels(
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "dingtalk://hushtoken", "json://a/hush", "json://a/mum"
    )
    assert found.labels == ["Slack", "DingTalk", "JSON a", "JSON a (2)"]


class Later:
    """The wall clock, so much later."""

    def __init__(self, by: timedelta) -> None:
        self._clock = SystemClock()
        self._by = by

    def now(self) -> datetime:
        return self._clock.now() + self._by

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
