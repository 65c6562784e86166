"""The alerts service while what it stands on is away, and killed at the worst moment: nothing lost, nothing told twice unsaid."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from services.alerts.app import AlertsService
from services.alerts.core.incident import Flag
from services.alerts.reach import sender
from shared import facts, topics
from shared.bus import Bus, Record
from shared.clock import SystemClock
from shared.db import Database
from shared.intake import Item
from shared.memorybus import MemoryBus
from tests import recorderkit
from tests.alertskit import SITES, TOPICS, raised_bytes, running, settings
from tests.brokers import BOTH, Broker
from tests.fault.alerting import (
    Floor,
    MoodyMail,
    alert_file,
    asked,
    changed,
    expected,
    flags,
    locked,
    noon_zone,
    over_lease,
    pour,
    rows,
    told_by_mail,
    told_by_webhook,
    until_published,
    without_gap,
)
from tests.fault.kit import Service, create_topics, services
from tests.sinks import HttpSink, listening
from tests.waiting import until
from tools.servers import free_port

pytest_plugins = ("tests.alertsdb",)
pytestmark = pytest.mark.fault


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'alerts.db'}"


async def test_a_database_that_is_locked_for_longer_than_anybody_waits_loses_and_repeats_nothing(
    broker: Broker, bus: Bus, tmp_path: Path
) -> None:
    await create_topics(broker, partitions=1)
    sink = HttpSink()
    async with listening(sink):
        file = alert_file(tmp_path, {"ops": sink.url})
        alerts = Service("alerts", broker, tmp_path, db_url=url_of(tmp_path), file=file)
        floor = Floor(alerts)
        async with services(alerts):
            await pour(bus, range(10))
            await until(lambda: floor.all_sent(10), "all are told, and that is written down", every_s=0.05)
            (first, *_) = await floor.incidents()
            with locked(tmp_path / "alerts.db"):
                await pour(bus, range(10, 40))
                refused = await floor.post(f"/incidents/{first['id']}/acknowledge", by="Li Wei")
                assert refused.status_code == 503, refused.text

                async def says_so() -> bool:
                    return "locked" in await alerts.readiness()

                await until(says_so, "readiness says that flags do not get in, and why", every_s=0.1)
                status = await alerts.get("/api/v1/status")
                assert status["state"] == "lost"
                assert "locked" in status["reason"]
                assert len(await floor.incidents()) == 10, "what is there can be read all the same"
            await until(lambda: len(sink.received) >= 40, "the others are told, too")
            await until(alerts.is_ready, "and it says that all is well")
            assert (await floor.post(f"/incidents/{first['id']}/acknowledge", by="Li Wei")).status_code == 200
            await until(lambda: floor.all_sent(40), "nothing waits")
            assert await floor.subjects() == expected(range(40))
            history = without_gap(await until_published(url_of(tmp_path), bus))
            assert len(history) == 40
            await alerts.stop()
    assert told_by_webhook(sink) == expected(range(40))


@pytest.mark.parametrize("broker", BOTH, indirect=True)
async def test_a_broker_that_restarts_while_incidents_are_open_and_notices_wait(
    broker: Broker, bus: Bus, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    await create_topics(broker, partitions=1)
    keeps = "apache" in request.node.callspec.id
    sink = HttpSink()
    sink.answering.clear()
    async with listening(sink):
        alerts = Service(
            "alerts", broker, tmp_path, db_url=url_of(tmp_path), file=alert_file(tmp_path, {"ops": sink.url})
        )
        floor = Floor(alerts)
        async with services(alerts):
            await pour(bus, range(20))

            async def all_open() -> bool:
                return await floor.subjects() == expected(range(20))

            await until(all_open, "20 incidents are open", every_s=0.05)
            await until(lambda: len(sink.received) == 1, "the first notice is under way, the others wait")
            await until_published(url_of(tmp_path), bus)  # else the next broker would be told of these, too
            broker.kill()
            done = await floor.post("/incidents/1/acknowledge", by="Li Wei", note="while the broker is away")
            assert done.status_code == 200

            async def says_so() -> bool:
                return (await alerts.get("/api/v1/status"))["state"] == "lost" and await alerts.readiness() != ""

            await until(says_so, "readiness says that nothing arrives", every_s=0.1)
            broker.start()
            if not keeps:
                await create_topics(broker, partitions=1)
            await until(alerts.is_ready, "it is well again", every_s=0.1)
            await pour(bus, range(15, 30))
            sink.answering.set()
            await until(lambda: floor.all_sent(30), "all 30 are told", every_s=0.1)
            assert await floor.subjects() == expected(range(30))
            incidents = {one["id"]: one for one in await floor.incidents()}
            found = await until_published(url_of(tmp_path), bus)
            if keeps:
                assert set(without_gap(found)) == set(incidents)
            else:
                assert {number for number, seq in found if seq == 1} == {
                    one["id"] for one in incidents.values() if int(one["subject_id"][1:]) >= 20
                }, "what was in the broker is gone, what came since is there"
            timeline = (await alerts.get("/api/v1/incidents/1"))["timeline"]
            (taken,) = [line["seq"] for line in timeline if line["kind"] == "acknowledged"]
            assert (1, taken) in found, "what somebody did while the broker was away is told to it afterwards"
            await alerts.stop()
    assert told_by_webhook(sink) == expected(range(30))


MOODS: Final = {"refused": "", "later": "451 4.7.1 greylisted", "never": "550 5.7.1 not you", "hangs": "hangs"}


async def test_a_mail_server_that_is_not_well_is_tried_again_and_told_once(
    broker: Broker, bus: Bus, tmp_path: Path
) -> None:
    """Four at once, so that waiting for them takes as long as for one."""
    await create_topics(broker, partitions=1)
    sinks = {name: MoodyMail(mood) for name, mood in MOODS.items()}
    sinks["refused"].port = free_port()  # nobody listens there yet
    sinks["refused"].well.set()
    async with listening(sinks["later"]), listening(sinks["never"]), listening(sinks["hangs"]):
        patience_s = dict.fromkeys(MOODS, 60) | {"hangs": 2}
        urls = {name: f"{sink.url}&cto={patience_s[name]}&rto={patience_s[name]}" for name, sink in sinks.items()}
        file = alert_file(tmp_path, urls)
        alerts = Service("alerts", broker, tmp_path, db_url=url_of(tmp_path), file=file)
        floor = Floor(alerts)
        async with services(alerts):
            await pour(bus, [1])

            async def each_tried() -> bool:
                found = await floor.messages()
                return len(found) == 4 and all(one["attempts"] for one in found)

            await until(each_tried, "each has failed once", every_s=0.05)
            await until(lambda: floor.all_are("failing", MOODS), "the page says so", every_s=0.05)
            for sink in sinks.values():
                sink.well.set()
            async with listening(sinks["refused"]):
                await until(lambda: floor.all_sent(4), "each has it", every_s=0.1)
                found = {one["receiver"]: one for one in await floor.messages()}
                await until(lambda: floor.all_are("ok", MOODS), "the page says so", every_s=0.05)
            await alerts.stop()
    for name, sink in sinks.items():
        *failed, accepted = found[name]["attempts"]
        assert accepted["ok"]
        assert failed
        assert not any(one["ok"] for one in failed)
        assert told_by_mail(sink) == expected([1]), name
        assert not found[name]["maybe_before"], "it was refused, so there is no doubt"
    said = {name: one["attempts"][0]["answer"] for name, one in found.items()}
    assert "refused" in said["refused"].lower(), said
    assert "451" in said["later"], said
    assert "550" in said["never"], said
    assert "timed out" in said["hangs"].lower(), said


async def test_killed_between_sending_and_writing_down_the_answer_it_sends_again_and_says_so(
    broker: Broker, bus: Bus, tmp_path: Path
) -> None:
    await create_topics(broker, partitions=1)
    mailbox = MoodyMail("unsaid")
    async with listening(mailbox), asked(url_of(tmp_path)) as database:
        file = alert_file(tmp_path, {"ops": mailbox.url})
        alerts = Service("alerts", broker, tmp_path, db_url=url_of(tmp_path), file=file)
        floor = Floor(alerts)
        async with services(alerts):
            await pour(bus, range(2))
            await mailbox.taken.wait()
            await alerts.kill()
            mailbox.well.set()
            await over_lease(database)
            await alerts.start()
            await until(lambda: floor.all_sent(2), "all are told", every_s=0.05)
            doubtful = [one for one in await floor.messages() if one["maybe_before"]]
            sent = [one for one in await floor.messages() if not one["maybe_before"]]
            await alerts.stop()
    told = told_by_mail(mailbox)
    assert set(told) == {"t0", "t1"}
    assert sorted(told.values()) == [1, 2], "the one that was under way came twice, the other once"
    (twice,) = doubtful
    assert [one["ok"] for one in twice["attempts"]] == [False, True]
    assert "may have been sent" in twice["attempts"][0]["answer"]
    assert [[attempt["ok"] for attempt in one["attempts"]] for one in sent] == [[True]]
    first, *others = [str(mail.get_body(("plain",)).get_content()) for mail in mailbox.received if same(mail, told)]  # type: ignore[union-attr]
    (again,) = others
    assert again != first
    assert "second" in again or "before" in again, again


def same(mail: Any, told: Any) -> bool:
    (twice,) = [name for name, times in told.items() if times == 2]
    return f"transfer number {int(twice[1:]):04}" in str(mail.get_body(("plain",)).get_content())


REPORTED: Final = ["east", "north", "south", "west"]
FINISHED: Final = "state = 'posted'"
RECORDED: Final = """
    SELECT (SELECT count(*) FROM transfer_records),
        (SELECT coalesce(sum(next_offset), 0) FROM positions WHERE topic = 'floor.records')
"""
# an instance comes to a report's message, and no further
HELD_UP: Final = f"""
    CREATE TRIGGER held_up BEFORE UPDATE ON report_runs WHEN NEW.{FINISHED} BEGIN SELECT RAISE(ABORT, 'held up'); END
"""


async def test_killed_while_it_records_and_writes_reports_there_is_no_row_and_no_report_twice(
    broker: Broker, bus: Bus, tmp_path: Path
) -> None:
    await create_topics(broker, partitions=1)
    sink = HttpSink()
    now = SystemClock().now()
    found = [transfer(n, REPORTED[n % 4], now - timedelta(days=1) + timedelta(seconds=n)) for n in range(4000)]
    url = url_of(tmp_path)
    async with listening(sink), asked(url) as database:
        alerts = Service("alerts", broker, tmp_path, db_url=url, file=alert_file(tmp_path, {"ops": sink.url}))
        (tmp_path / "sites.yaml").write_text(f"defaults: {{time_zone: {noon_zone(now)}}}\n")
        floor = Floor(alerts)

        async def count(table: str, where: str = "1=1") -> int:
            ((number,),) = await rows(database, f"SELECT count(*) FROM {table} WHERE {where}")
            return int(number)

        async def recording() -> bool:
            """Whoever is killed between rows and position loses rows, or has them twice: nobody sees one without the other."""
            ((recorded, position),) = await rows(database, RECORDED)
            assert recorded == position
            return bool(recorded)

        async with services(alerts):
            sending = asyncio.create_task(recorderkit.publish(bus, *found[:2000]))
            await until(recording, "some are recorded", every_s=0.002)
            await alerts.kill()
            await sending
            await recorderkit.publish(bus, *found[2000:])
            await alerts.start()
            await until(lambda: reaches(count("transfer_records"), len(found)), "all are recorded", every_s=0.05)
            await changed(database, HELD_UP)
            alert_file(tmp_path, {"ops": sink.url}, 'reports: [{kind: daily, to: [ops], at: "00:00"}]\n')
            await until(
                lambda: reaches(count("report_runs", "answer LIKE '%held up%'"), 1), "it wrote one", every_s=0.01
            )
            await alerts.kill()
            assert await count("messages") == 0, "a message of what is not finished would be written again"
            await changed(database, "DROP TRIGGER held_up")
            await changed(database, "UPDATE report_runs SET claimed_until = '2000-01-01'")
            await alerts.start()
            await until(lambda: reaches(count("report_runs", FINISHED), len(REPORTED)), "all are posted", every_s=0.05)
            await until(lambda: floor.all_sent(len(REPORTED)), "all are sent", every_s=0.05)
            doubtful = [one for one in await floor.messages() if one["maybe_before"]]
            await alerts.stop()
        recorded = await rows(database, "SELECT site, transfer_id FROM transfer_records")
        days = await rows(database, "SELECT kind, site, period, receiver FROM report_runs")
    assert Counter(recorded) == Counter((REPORTED[n % 4], f"t{n}") for n in range(4000))
    assert sorted(site for _, site, _, _ in days) == REPORTED
    told = Counter(one["title"] for one in sink.received)
    assert len(told) == len(REPORTED)
    assert sum(told.values()) - len(REPORTED) <= len(doubtful), "whatever came twice says that it may have"


async def reaches(number: Awaitable[int], least: int) -> bool:
    return await number >= least


def transfer(number: int, site: str, at: datetime) -> facts.Fact:
    """A record of a transfer as the monitor publishes it."""
    data = facts.TransferEnded(
        transfer_id=f"t{number}",
        call_id=f"c{number}",
        kind="blind",
        from_agent="1001",
        to_agent="1002",
        to_queue="",
        to_number="",
        requested_at=at,
        ringing_at=at,
        answered_at=at,
        bridged_at=at + timedelta(seconds=9),
        released_at=None,
        ended_at=at + timedelta(seconds=9),
        seek_s=0.0,
        ring_s=0.0,
        brief_s=None,
        customer_gap_s=9.0,
        total_s=9.0,
        outcome="completed",
    )
    return recorderkit.fact_of(data, offset=number, site=site)


async def test_what_an_instance_left_in_the_outbox_when_it_was_killed_is_told_by_another(
    alerts_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else happens: no flag, no change, nothing that would wake the other by itself."""
    monkeypatch.setattr(sender, "LOOK", timedelta(seconds=0.2))
    sink, bus = HttpSink(), MemoryBus()
    await bus.create(TOPICS)
    async with listening(sink), running(bus, alerts_db, notify_urls=(sink.url,)) as alerts:
        await until(lambda: alerts.service.link.status.state == "live", "it runs")
        other = AlertsService(
            settings(notify_urls=(sink.url,)), bus=bus, database=alerts_db, clock=SystemClock(), sites=SITES
        )
        (one,) = flags([7])
        await other.desk.take(topics.FLOOR_FLAGS.name, [Item(written(one), one)])  # and then it was killed
        await until(lambda: sink.received, "told by the one that is left")
    assert told_by_webhook(sink) == expected([7])


def written(one: Flag) -> Record:
    return Record(topics.FLOOR_FLAGS.name, 0, 0, b"s1", raised_bytes(one), (), SystemClock().now())
