"""Receivers of the alert file, sent to for real: webhooks, fail-over, storms, a process that ended in between, own templates."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import text
from structlog.testing import capture_logs
from typer.testing import CliRunner

from floorwatch.alerts import app
from services.alerts.alertfile.reading import load_alerts
from services.alerts.reach import sender
from services.alerts.reach.channels import Channels
from services.alerts.reach.queue import LEASE
from shared import db
from shared.clock import SystemClock
from shared.db import Database
from shared.memorybus import MemoryBus
from shared.settings import ROOT
from tests.alertskit import TOPICS, Alerts, publish, running
from tests.flagkit import flag
from tests.sinks import HttpSink, MailSink, listening
from tests.waiting import until

SECRET = "hush-this-is-secret"
pytest_plugins = ("tests.alertsdb",)
AT_ONCE = (timedelta(seconds=0.01),)


@pytest.fixture
async def bus() -> MemoryBus:
    bus = MemoryBus()
    await bus.create(TOPICS)
    return bus


@pytest.fixture
def database(alerts_db: Database) -> Database:
    return alerts_db


class Floor:
    """The service with an alert file, and sinks for its receivers."""

    def __init__(self, alerts: Alerts) -> None:
        self.alerts = alerts

    async def messages(self, **query: str) -> list[Any]:
        found = await self.alerts.client.get("/api/v1/notifications", params=query)
        rows: list[Any] = found.json()["notifications"]
        return rows

    async def done(self, number: int = 1, receiver: str = "") -> list[Any]:
        """The messages, newest first, once there are so many and none waits."""

        async def all_done() -> Any:
            rows = await self.messages(receiver=receiver) if receiver else await self.messages()
            return rows if len(rows) >= number and all(row["state"] != "waiting" for row in rows) else None

        rows: list[Any] = await until(all_done)
        return rows

    async def notices(self, number: int = 1) -> list[Any]:
        found = await self.alerts.client.get(f"/api/v1/incidents/{number}")
        rows: list[Any] = found.json().get("notifications", [])
        return rows


@asynccontextmanager
async def floor(
    bus: MemoryBus, database: Database, tmp_path: Path, receivers: str, more: str = "", **settings: Any
) -> AsyncIterator[Floor]:
    file = tmp_path / "alerts.yaml"
    file.write_text(f"receivers:\n{receivers}\nroutes: {{receiver: ops{more}}}\n", encoding="utf-8")
    async with running(bus, database, file=file, **settings) as alerts:
        yield Floor(alerts)


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    sink = HttpSink()
    async with listening(sink):
        yield sink


async def test_a_webhook_is_signed_and_says_what_its_schema_says(
    bus: MemoryBus, database: Database, tmp_path: Path, sink: HttpSink
) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    receivers = f'  ops: {{webhook: {{url: "{sink.web}/hook/{SECRET}", secret: "file:{tmp_path / "key"}"}}}}'
    async with floor(bus, database, tmp_path, receivers) as it:
        await publish(bus, flag())
        (row,) = await it.done()
        answers = str(row) + str(await it.alerts.get("/status")) + str(await it.alerts.get("/routing"))
    ((path, headers, body),) = sink.requests
    assert path == f"/hook/{SECRET}"
    stamp, code = (part.partition("=")[2] for part in headers["x-floorwatch-signature"].split(","))
    assert hmac.compare_digest(hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest(), code)
    assert headers["idempotency-key"] == "1/1"
    said = json.loads(body)
    Draft202012Validator(json.loads((ROOT / "docs" / "webhook.schema.json").read_text())).validate(said)
    assert (said["key"], said["kind"], said["may_be_repeated"]) == ("1/1", "single", False)
    assert said["incidents"][0]["summary"]["zh"] == "陈静 转接已超过 7 秒"
    assert (row["state"], row["attempts"][0]["answer"]) == ("sent", "HTTP 200")
    assert SECRET not in answers


def test_the_documented_schema_of_the_webhook_is_the_one_that_is_sent() -> None:
    from services.alerts.reach.webhook import schema

    assert json.loads((ROOT / "docs" / "webhook.schema.json").read_text()) == schema()


async def test_a_redirect_is_not_followed_and_a_receiver_is_waited_for_as_long_as_it_asks(
    bus: MemoryBus, database: Database, tmp_path: Path, sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "RETRIES", AT_ONCE)
    sink.answers, sink.headers = [302, 503], {"Location": f"{sink.web}/elsewhere", "Retry-After": "1800"}
    async with floor(bus, database, tmp_path, f'  ops: {{webhook: {{url: "{sink.web}/hook/{SECRET}"}}}}') as it:
        await publish(bus, flag("f1"))
        (row,) = await it.done()
        assert row["state"] == "failed"
        assert "redirect" in row["attempts"][0]["answer"]
        assert [path for path, _, _ in sink.requests] == [f"/hook/{SECRET}"] * 2
        assert SECRET not in str(row)
        sink.answers = [503]
        monkeypatch.setattr(sender, "RETRIES", (timedelta(seconds=5),))
        await publish(bus, flag("f2", "t2"))

        async def tried() -> Any:
            rows = await it.messages(state="waiting")
            return rows and rows[0]["attempts"] and rows[0]["next_attempt_at"]

        at = await until(tried)
        assert at > (SystemClock().now() + timedelta(minutes=25)).isoformat()


async def test_whom_nothing_reaches_is_replaced_and_becomes_an_incident_until_it_is_reached_again(
    bus: MemoryBus, database: Database, tmp_path: Path, sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "RETRIES", AT_ONCE)
    dead = HttpSink()
    async with AsyncExitStack() as stack:
        async with listening(dead):
            pass  # the port stays free
        receivers = (
            f'  ops: {{webhook: {{url: "{dead.web}/{SECRET}"}}, then: backup}}\n'
            f'  backup: {{webhook: {{url: "{sink.web}/b"}}, language: zh}}'
        )
        it = await stack.enter_async_context(floor(bus, database, tmp_path, receivers))
        assert it.alerts.metric("alerts_receiver_up", receiver="ops") == 1
        await publish(bus, flag())
        await until(lambda: len(sink.received) >= 2)
        first = next(one for one in sink.received if one["incidents"][0]["rule"] == "slow_transfer")
        about = next(one for one in sink.received if one["incidents"][0]["rule"] == "receiver_dead")
        assert first["instead_of"] == "ops"
        assert "因无法联系 ops" in first["text"]
        assert about["incidents"][0]["labels"] == {"receiver": "ops"}
        assert SECRET not in str(sink.received)
        own, instead = await until(lambda: _both_done(it))
        assert (own["state"], own["receiver"], len(own["attempts"])) == ("failed", "ops", 2)
        assert own["answer"].endswith("told to backup instead")
        assert (instead["state"], instead["receiver"], instead["instead_of"]) == ("sent", "backup", "ops")
        assert it.alerts.metric("alerts_receiver_up", receiver="ops") == 0
        (ops, backup) = (await it.alerts.get("/status"))["receivers"]
        assert (ops["state"], ops["then"], backup["state"]) == ("dead", "backup", "ok")
        (number,) = [one["id"] for one in await it.alerts.incidents() if one["rule"] == "receiver_dead"]
        assert all(row["receiver"] == "backup" for row in await it.notices(number)), "never through the receiver itself"

        await stack.enter_async_context(listening(dead))
        answer = await it.alerts.post("/receivers/ops/test", {"by": "Li"})
        assert [one["ok"] for one in answer["attempts"]] == [True]
        assert dead.received[0]["kind"] == "test"

        async def over() -> Any:
            found = await it.alerts.get(f"/incidents/{number}")
            return found["incident"]["condition"] == "ended"

        await until(over)
        assert it.alerts.metric("alerts_receiver_up", receiver="ops") == 1
        await it.alerts.post("/receivers/nobody/test", {"by": "Li"}, status=404)


async def _both_done(it: Floor) -> Any:
    rows = await it.notices(1)
    return rows if len(rows) == 2 and all(row["state"] != "waiting" for row in rows) else None


async def test_a_storm_becomes_few_messages_that_carry_all_of_it(
    bus: MemoryBus, database: Database, tmp_path: Path, sink: HttpSink
) -> None:
    receivers = f'  ops: {{webhook: {{url: "{sink.web}/s"}}, at_most: {{burst: 3, every: 1s}}}}'
    async with floor(bus, database, tmp_path, receivers) as it:
        storm = [flag(f"f{n}", f"t{n}", severity="warning" if n % 50 else "critical") for n in range(300)]
        await publish(bus, *storm)

        async def carried() -> Any:
            async with database.reading() as session:
                rows = (await session.execute(text("SELECT state, message_id FROM notices"))).all()
            return rows if len(rows) == 300 and all(state != "waiting" for state, _ in rows) else None

        rows = await until(carried)
        assert {state for state, _ in rows} == {"sent"}
        assert all(message for _, message in rows)
        await until(lambda: it.alerts.metric("alerts_notifications_total", outcome="sent") == 300)
        messages = await it.done()
    assert len(sink.received) == len(messages) < 30
    assert sum(one["incident_count"] for one in sink.received) == 300
    told = [one["number"] for got in sink.received for one in got["incidents"]]
    assert len(told) == len(set(told))
    bundle = max(sink.received, key=lambda one: one["incident_count"])
    assert bundle["kind"] == "bundle"
    assert bundle["title"].partition("] ")[2].startswith(f"{bundle['incident_count']} incidents: ")
    assert [one["severity"] for one in bundle["incidents"]] == sorted(one["severity"] for one in bundle["incidents"])
    assert "Slow transfer: " in bundle["text"]


async def test_a_slow_channel_holds_up_nobody_else(
    bus: MemoryBus, database: Database, tmp_path: Path, sink: HttpSink
) -> None:
    slow = HttpSink()
    slow.answering.clear()
    async with listening(slow):
        receivers = f'  ops: {{notify: ["{slow.url}"], webhook: {{url: "{sink.web}/fast"}}}}'
        async with floor(bus, database, tmp_path, receivers) as it:
            await publish(bus, flag("f1", "t1"), flag("f2", "t2"))
            await until(lambda: len(sink.received) == 2 and len(slow.received) == 1)
            assert {row["state"] for row in await it.messages()} == {"sent", "waiting"}
            slow.answering.set()
            await it.done(4)


async def test_an_answer_that_cannot_be_written_down_is_when_it_can_and_nothing_is_sent_again(
    bus: MemoryBus, database: Database, tmp_path: Path, sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was forgotten: two minutes later people were told once more, of each channel one message."""
    monkeypatch.setattr(db, "BUSY_TIMEOUT_MS", 50)
    monkeypatch.setattr(sender, "RETRY_S", 0.05)
    sink.answering.clear()
    other = Database(database.url.render_as_string(hide_password=False))
    async with floor(bus, database, tmp_path, f'  ops: {{webhook: {{url: "{sink.web}/x"}}}}') as it:
        await publish(bus, flag())
        await until(lambda: sink.received)
        with capture_logs() as logs:
            async with other.unit_of_work() as session:
                await session.execute(text("UPDATE messages SET state = state"))  # nobody else may write it
                sink.answering.set()
                await until(lambda: any(line.get("receiver") == "ops" for line in logs), "it could not be written")
        (row,) = await it.done()
    await other.close()
    assert (row["state"], row["maybe_before"], [one["ok"] for one in row["attempts"]]) == ("sent", False, [True])
    assert len(sink.received) == 1


async def test_what_a_process_began_to_send_before_it_ended_is_sent_again_and_says_so(
    bus: MemoryBus, database: Database, tmp_path: Path, sink: HttpSink
) -> None:
    sink.answering.clear()
    receivers = f'  ops: {{webhook: {{url: "{sink.web}/x"}}}}'
    async with floor(bus, database, tmp_path, receivers):
        await publish(bus, flag())
        await until(lambda: sink.received)  # it has it; we end before we hear so
    sink.answering.set()
    async with floor(bus, database, tmp_path, receivers, clock=Later(LEASE + timedelta(seconds=1))) as it:
        (row,) = await it.done()
        (notice,) = await it.notices()
    assert (row["state"], row["maybe_before"], notice["maybe_before"]) == ("sent", True, True)
    assert [one["ok"] for one in row["attempts"]] == [False, True]
    assert "may have been sent" in row["attempts"][0]["answer"]
    first, second = sink.received
    assert (first["may_be_repeated"], second["may_be_repeated"]) == (False, True)
    assert first["key"] == second["key"]
    assert "second copy" in second["text"]


async def test_languages_forms_and_templates_of_ones_own(
    bus: MemoryBus, database: Database, tmp_path: Path, sink: HttpSink
) -> None:
    mail = MailSink()
    template = tmp_path / "own.j2"
    template.write_text(
        "{% block title %}{{ it.number }}: {{ it.summary_en }}{% endblock %}"
        "{% block body %}{{ it.labels.queue }} at {{ site }}{% endblock %}"
    )
    async with listening(mail):
        receivers = (
            f'  ops: {{notify: ["{mail.url}"], language: en}}\n'
            f'  short: {{webhook: {{url: "{sink.web}/zh"}}, language: zh, form: short}}\n'
            f'  own: {{webhook: {{url: "{sink.web}/own"}}, template: "{template}"}}'
        )
        more = ", routes: [{receiver: ops, continue: true}, {receiver: short, continue: true}, {receiver: own}]"
        async with floor(bus, database, tmp_path, receivers, more) as it:
            await publish(bus, flag("f1"))
            await it.done(3)
            await publish(bus, flag("f2", "t2", labels={}))  # without the label that the template names
            await it.done(6)
    letter = mail.received[0].get_body(("plain",))
    assert letter is not None
    assert "Site: First floor" in letter.get_content()
    assert "陈静" not in str(letter.get_content())
    said = {(path, got["key"]): got for (path, _, _), got in zip(sink.requests, sink.received, strict=True)}
    assert said["/zh", "1/1"]["title"] == "【严重】#1 陈静 转接已超过 7 秒"
    assert "\n" not in said["/zh", "1/1"]["text"]
    assert said["/own", "1/1"]["title"] == "1: Chen Jing's transfer has taken more than 7 s"
    assert said["/own", "1/1"]["text"] == "sales at First floor"
    assert "own template could not be used" in said["/own", "2/1"]["text"]


async def test_what_was_sent_is_listed_by_receiver_state_and_page(
    bus: MemoryBus, database: Database, tmp_path: Path, sink: HttpSink
) -> None:
    async with floor(bus, database, tmp_path, f'  ops: {{webhook: {{url: "{sink.web}/x"}}}}') as it:
        await publish(bus, *(flag(f"f{n}", f"t{n}") for n in range(3)))
        rows = await it.done(3)
        page = await it.alerts.get("/notifications?limit=2")
        rest = await it.alerts.get(f"/notifications?limit=2&cursor={page['next_cursor']}")
        assert [row["id"] for row in page["notifications"] + rest["notifications"]] == [row["id"] for row in rows]
        assert rest["next_cursor"] is None
        assert sorted(row["incidents"][0] for row in rows) == [1, 2, 3]
        assert await it.messages(state="failed") == await it.messages(receiver="nobody") == []
        await it.alerts.get("/notifications?cursor=nonsense", status=400)


def test_the_examples_of_the_documentation_are_receivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMS_URL", "json://127.0.0.1/sms")
    (tmp_path / "webhook").write_text(SECRET)
    section = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8").partition("## Receivers\n")[2]
    example = section.split("```")[1].removeprefix("yaml\n").replace("/run/secrets", str(tmp_path))
    file = tmp_path / "alerts.yaml"
    file.write_text(f"{example}routes: {{receiver: operations}}\n", encoding="utf-8")
    channels = Channels(load_alerts(file).receivers.values())
    assert [len(channels.of[name]) for name in channels.of] == [1, 5, 2, 1, 1]
    assert channels.then == {"phone": "operations"}


async def test_a_receiver_is_tried_and_its_messages_are_shown_on_the_command_line(
    tmp_path: Path, sink: HttpSink
) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text(
        f'receivers: {{ops: {{webhook: {{url: "{sink.web}/{SECRET}"}}, language: zh, form: short}}}}\n'
        "routes: {receiver: ops}\n"
    )

    async def run(*words: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, app, [*words, f"--file={file}"])
        return result.exit_code, result.output

    code, said = await run("test", "ops")
    assert (code, said.startswith(f"Webhook 127.0.0.1:{sink.port}: ok after")) == (0, True)
    assert sink.received[0]["title"].startswith("【测试】")
    sink.answers = [500]
    assert (await run("test", "ops"))[0] == 1
    assert await run("test", "nobody") == (2, "there is no receiver 'nobody'; there are: ops\n")
    code, said = await run("preview", "ops", "--kind", "bundle")
    assert (code, said.splitlines()[0]) == (0, "【严重】37 起事件：严重 3，警告 34")
    assert (await run("preview", "--kind", "song"))[0] == 2
    assert SECRET not in said


class Later:
    """The wall clock, so much later."""

    def __init__(self, by: timedelta) -> None:
        self._clock, self._by = SystemClock(), by

    def now(self) -> Any:
        return self._clock.now() + self._by

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
