"""One slow transfer, from the switch's word to the report of its day. Every process is real, so is the mail."""

from __future__ import annotations

import asyncio
import html
import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
import pytest

from shared import topics
from shared.clock import SystemClock
from shared.incidentfacts import IncidentFact, decode_incident
from shared.kafka import KafkaBus
from shared.tracing import place_of
from tests.fault.alerting import noon_zone
from tests.fault.kit import read_all
from tests.scenario.test_run import SITE, Running, a_floor, environment, running
from tests.sinks import MailSink, listening
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches processes through /proc")

TRANSFER: Final = {"transfer_id": "slow", "call_id": "c1", "kind": "attended", "from_agent": "1001", "to_agent": "1002"}


async def act(it: Running, path: str, **body: Any) -> Any:
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        answer = await client.post(it.url("alerts", f"/api/v1/incidents/{path}"), json=body)
        return answer.raise_for_status().json()


async def page(it: Running, path: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        return await client.get(it.url("alerts", path))


async def published(it: Running, lines: int) -> list[IncidentFact]:
    """What is on the topic `incidents`, once so many lines are there."""
    bus = KafkaBus(f"127.0.0.1:{it.ports['BROKER_PORT']}")

    async def found() -> list[IncidentFact]:
        read = [decode_incident(record.value) for record in await read_all(bus, topics.INCIDENTS)]
        return read if len(read) >= lines else []

    try:
        return list(await until(found, "every line of the history is on the topic", every_s=0.1))
    finally:
        await bus.close()


async def daily(it: Running, folder: Path, settings: dict[str, str], day: str) -> dict[str, Path]:
    """The files of `floorwatch report daily`, by language and ending."""
    command = ("report", "daily", f"--date={day}", f"--site={SITE}", "--format=html,xlsx,csv,json", "--lang=both")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "floorwatch.cli", *command, f"--out={folder}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(folder.parent, it.ports) | settings,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0, err.decode()
    files = [Path(line) for line in out.decode().splitlines()]
    return {file.name.removeprefix(f"daily-{SITE}-{day}-"): file for file in files}


def text_of(mail: EmailMessage) -> str:
    return "\n".join(str(part.get_content()) for part in mail.walk() if part.get_content_type() == "text/plain")


def rows(report: dict[str, Any], table: str) -> Sequence[dict[str, Any]]:
    found: list[dict[str, Any]] = report["tables"][table]["rows"]
    return found


async def closed(it: Running, number: int, day: str) -> None:
    """What a person does: takes it, says what is to be done and when to look again, resolves it."""
    await act(it, f"{number}/acknowledge", by="Li Wei", note="looking")
    await act(it, f"{number}/actions", text="Train Bert on transfers", owner="Wang Fang", due_on=day, by="Li Wei")
    done = {"note": "the phone was replaced", "cause": "a broken phone", "recheck_on": day}
    resolved = await act(it, f"{number}/resolve", by="Li Wei", **done)
    assert (resolved["state"], resolved["owner"], resolved["recheck_on"]) == ("resolved", "Li Wei", day)


def lines_of(folder: Path, service: str, **wanted: Any) -> list[dict[str, Any]]:
    """The lines of a service's log that have all of this."""
    log = next(folder.rglob(f"{service}.log")).read_text(encoding="utf-8")
    found = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line for line in found if wanted.items() <= line.items()]


async def the_logs_lead_from_the_switchs_word_to_the_mail(it: Running, folder: Path, number: int, trace: str) -> None:
    """What `grep TRACE .run/logs/*` finds, and the record that the trace stands for."""
    bus = KafkaBus(f"127.0.0.1:{it.ports['BROKER_PORT']}")
    try:
        records = await read_all(bus, topics.SWITCH_RAW)
    finally:
        await bus.close()
    (raw,) = [one for one in records if (one.partition, one.offset) == place_of(trace)]
    assert b"transfer_requested" in raw.value
    assert [one["kind"] for one in lines_of(folder, "ingest", event="event", trace=trace)] == ["transfer_requested"]
    for said in ("flag raised", "flag cleared"):
        (line,) = lines_of(folder, "monitor", event=said, trace=trace)
        assert line["rule"] == "slow_transfer"
    assert {line["what"] for line in lines_of(folder, "alerts", incident=number, trace=trace)} == {
        "opened",
        "flag_cleared",
    }
    assert len(lines_of(folder, "alerts", event="a message was sent", incidents=[number])) == 2


async def test_a_slow_transfer_ends_as_a_mail_a_closed_incident_and_a_line_of_its_days_report(tmp_path: Path) -> None:
    mailbox = MailSink()
    async with listening(mailbox):
        settings = {
            "ALERTS_NOTIFY_URLS": mailbox.url,
            "ALERTS_DB_URL": f"sqlite:///{tmp_path / 'alerts.db'}",
            "MONITOR_DB_URL": f"sqlite:///{tmp_path / 'monitor.db'}",
            "FLOORWATCH_SITES_FILE": str(tmp_path / "sites.yaml"),
            "FLOORWATCH_LOG_LEVEL": "debug",
        }
        zone = noon_zone(SystemClock().now())
        (tmp_path / "sites.yaml").write_text(f"sites: {{{SITE}: {{label: Head office, time_zone: {zone}}}}}\n")
        async with running(tmp_path, **settings) as it:
            asked = it.clock.now()
            await it.say(*a_floor(asked), ("transfer_requested", asked, TRANSFER))
            await until(lambda: mailbox.received, "the mail", every_s=0.05)
            over = it.clock.now()
            await it.say(
                ("transfer_answered", over, {"transfer_id": "slow", "to_agent": "1002"}),
                ("transfer_bridged", over, {"transfer_id": "slow", "to_agent": "1002"}),
                ("call_cleared", over, {"call_id": "c1"}),
            )

            async def ended() -> Any:
                found = (await it.get("alerts", "/api/v1/incidents"))["incidents"]
                return found if found and found[0]["ended"] else []

            (incident,) = await until(ended, "one incident, and its condition is over", every_s=0.05)
            number, today = incident["id"], asked.astimezone(ZoneInfo(zone)).date()
            day, again = today.isoformat(), (today + timedelta(days=1)).isoformat()
            assert (incident["rule"], incident["subject_id"], incident["flags"]) == ("slow_transfer", "slow", 1)

            mail = mailbox.received[0]
            said = text_of(mail)
            for words in (incident["summary"]["en"], incident["summary"]["zh"], f"#incident={number}"):
                assert words in said
            await closed(it, number, again)
            await until(lambda: len(mailbox.received) == 2, "who heard of it hears of its end", every_s=0.05)

            async def written_down() -> Any:
                """The incident, once what became of both mails is recorded."""
                found = await it.get("alerts", f"/api/v1/incidents/{number}")
                return found if all(one["state"] == "sent" for one in found["notifications"]) else None

            detail = await until(written_down, "both mails are told to be sent", every_s=0.05)
            assert [(one["reason"], one["state"], len(one["attempts"])) for one in detail["notifications"]] == [
                ("opened", "sent", 1),
                ("resolved", "sent", 1),
            ]
            trace = detail["flags"][0]["trace"]
            await the_logs_lead_from_the_switchs_word_to_the_mail(it, tmp_path, number, trace)
            lines = detail["timeline"]
            kinds = [one["kind"] for one in lines]
            assert kinds == ["opened", "told", "flag_cleared", "acknowledged", "action_added", "resolved", "told"]
            facts = await published(it, len(lines))
            assert [(one.data.number, one.data.seq, one.data.kind) for one in facts] == [
                (number, one["seq"], one["kind"]) for one in lines
            ]
            assert [one["seq"] for one in lines] == list(range(1, len(lines) + 1))

            for lang, title in (("en", "Incident report"), ("zh", "突发事件报告")):
                report = await page(it, f"/api/v1/incidents/{number}/report?lang={lang}")
                assert report.status_code == 200
                for words in (title, incident["summary"][lang], "Train Bert on transfers", "a broken phone"):
                    assert words in html.unescape(report.text)
            paper = await page(it, f"/api/v1/incidents/{number}/report?format=pdf")
            assert paper.content.startswith(b"%PDF-") if paper.status_code == 200 else paper.status_code == 501

            async def recorded() -> bool:
                text = (await page(it, "/metrics")).text
                return 'alerts_records_total{kind="transfer"} 1.0' in text

            await until(recorded, "the transfer is recorded", every_s=0.05)
            files = await daily(it, tmp_path / "reports", settings, day)
        assert sorted(files) == sorted(
            f"{lang}.{end}" for lang in ("en", "zh") for end in ("html", "xlsx", "csv.zip", "json")
        )
        report = json.loads(files["en.json"].read_bytes())
        assert [(one["to"], one["count"], one["slow"]) for one in rows(report, "transfer_targets")] == [("1002", 1, 1)]
        (total,) = [one for one in rows(report, "transfer_legs") if one["leg"] == "Total"]
        assert total["max_s"] == pytest.approx((over - asked).total_seconds(), abs=1e-3)
        assert [(one["count"], one["ended"]) for one in rows(report, "flags")] == [(1, 1)]
        assert [(one["opened"], one["acknowledged"], one["resolved"]) for one in rows(report, "incidents")] == [
            (1, 1, 1)
        ]
        (longest,) = rows(report, "incidents_longest")
        assert (longest["number"], longest["owner"], longest["incident"]) == (
            number,
            "Li Wei",
            incident["summary"]["en"],
        )
        assert {(one["due"], one["kind"], one["owner"]) for one in rows(report, "followups")} == {
            (again, "Action", "Wang Fang"),
            (again, "Look again", "Li Wei"),
        }
        assert incident["summary"]["zh"] in html.unescape(files["zh.html"].read_text())
