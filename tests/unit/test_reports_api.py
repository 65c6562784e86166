"""Reports by HTTP and from the command line: every format, unchanged while nothing new came, for who may see the whole site."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from floorwatch.cli import app
from shared.clock import SystemClock
from shared.db import Database
from shared.errors import FloorwatchError
from shared.facts import Fact
from shared.memorybus import MemoryBus
from shared.topics import FLOOR_RECORDS
from tests import alertskit
from tests.alertskit import Alerts, running
from tests.authkit import bearer, settings, users_file
from tests.databases import spelled
from tests.fault.disks import small_disk
from tests.recorderkit import fact_of, interval, publish, queue_interval
from tests.sinks import MailSink, listening
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)
SITE = "s1"  # in Shanghai
NOON = datetime.combine(SystemClock().now().date() - timedelta(days=2), datetime.min.time(), UTC) + timedelta(hours=4)
DAY = NOON.date().isoformat()
USERS = """\
users:
  all: {name: Li Na, roles: [supervisor]}
  blue: {roles: [supervisor], sites: [s1], teams: [Blue]}
  sales: {roles: [viewer], queues: [sales]}
  elsewhere: {roles: [operations], sites: [elsewhere]}
  pbx: {roles: [service]}
"""


def path_of(kind: str = "daily", date: str = DAY, site: str = SITE) -> str:
    return f"/api/v1/reports/periodic/{kind}/{site}/{date}"


def hour(start: datetime, first: int = 0) -> Iterator[Fact]:
    """Four intervals of a queue, 10 calls each, and an agent who was ready and then talked."""
    for number in range(4):
        at = start + timedelta(minutes=15 * number)
        ends = at + timedelta(minutes=15)
        state = "ready" if number < 2 else "talk"
        data = (
            queue_interval(started_at=at, ended_at=ends, counted_from=at),
            interval("1", started_at=at, ended_at=ends, duration_s=900.0, state=state),
        )
        for index, one in enumerate(data):
            yield fact_of(one, first + number, index, site=SITE)


async def recorded(database: Database, bus: MemoryBus, *found: Fact) -> None:
    """Publish and wait until the service has recorded all there is."""
    await publish(bus, *found)
    count = len(bus.records(FLOOR_RECORDS))

    async def done() -> bool:
        async with database.reading() as session:
            told = "SELECT coalesce(sum(next_offset), 0) FROM positions WHERE topic = :topic"
            return await session.scalar(text(told), {"topic": FLOOR_RECORDS.name}) == count

    await until(done)


@asynccontextmanager
async def service(database: Database, **more: Any) -> AsyncIterator[tuple[Alerts, MemoryBus]]:
    bus = MemoryBus()
    await bus.create([*alertskit.TOPICS, FLOOR_RECORDS])
    async with running(bus, database, **more) as alerts:
        await recorded(database, bus, *hour(NOON))
        yield alerts, bus


async def test_every_format_is_served_and_stays_the_same_until_a_late_record_comes(alerts_db: Database) -> None:
    async with service(alerts_db) as (alerts, bus):
        found: dict[str, httpx.Response] = {}
        for form in ("html", "xlsx", "csv", "json"):
            found[form] = await alerts.client.get(path_of(), params={"format": form, "lang": "zh"})
            assert found[form].status_code == 200
            assert found[form].headers["content-language"] == "zh-CN"
            assert found[form].headers["cache-control"] == "private, no-cache"
        assert found["json"].json()["figures"]["offered"] == 40
        assert found["html"].headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert "日报" in found["html"].text
        assert zipfile.ZipFile(io.BytesIO(found["xlsx"].content)).testzip() is None
        assert any(name.endswith("queues.csv") for name in zipfile.ZipFile(io.BytesIO(found["csv"].content)).namelist())

        tag = found["json"].headers["etag"]
        asked = {"params": {"format": "json", "lang": "zh"}, "headers": {"if-none-match": tag}}
        same = await alerts.client.get(path_of(), **asked)  # type: ignore[arg-type]
        assert (same.status_code, same.content) == (304, b"")
        await recorded(alerts_db, bus, *hour(NOON + timedelta(hours=2), first=50))
        other = await alerts.client.get(path_of(), **asked)  # type: ignore[arg-type]
        assert other.status_code == 200
        assert other.json()["figures"]["offered"] == 80


async def test_a_period_is_named_by_any_of_its_days_or_by_its_key(alerts_db: Database) -> None:
    async with service(alerts_db) as (alerts, _bus):
        for kind in ("daily", "weekly", "monthly", "quarterly", "yearly"):
            found = (await alerts.client.get(path_of(kind), params={"format": "json"})).json()
            assert found["kind"] == kind
            assert found["figures"]["offered"] == 40
            again = (await alerts.client.get(path_of(kind, found["key"]), params={"format": "json"})).json()
            assert again["first"] == found["first"]
        for wrong in ("yesterday", "2026-13-01", "2026-W99", "1999-01-01", "2026"):
            assert (await alerts.client.get(path_of("daily", wrong))).status_code == 400
        assert (await alerts.client.get(path_of("daily", "2150-01-01"))).status_code == 404
        assert (await alerts.client.get(path_of(site="nowhere"))).status_code == 404
        assert (await alerts.client.get(path_of(), params={"format": "docx"})).status_code == 422


async def test_a_day_without_records_is_answered_and_says_so(alerts_db: Database) -> None:
    async with service(alerts_db) as (alerts, _bus):
        found = (await alerts.client.get(path_of("daily", "2020-02-29"), params={"format": "json"})).json()
        assert found["figures"]["offered"] is None
        assert "No data" in found["notices"][0]


async def test_a_report_is_for_who_may_see_the_whole_site(tmp_path: Path, alerts_db: Database) -> None:
    how = settings(tmp_path)
    users_file(tmp_path, USERS)
    wanted = {"all": 200, "blue": 403, "sales": 403, "elsewhere": 404, "pbx": 200}
    async with service(alerts_db, **how) as (alerts, _bus):
        for user, status in wanted.items():
            answer = await alerts.client.get(path_of(), headers=bearer(user))
            assert answer.status_code == status, user
        refused = (await alerts.client.get(path_of(), headers=bearer("blue"))).json()
        assert refused["reason"] == "partial_scope"
        assert (await alerts.client.get(path_of())).status_code == 401
        assert (await alerts.client.get("/api/v1/reports/periodic", headers=bearer("all"))).json() == {
            "reports": [],
            "next_cursor": None,
        }


async def test_a_report_that_is_due_comes_by_mail_with_its_files(tmp_path: Path, alerts_db: Database) -> None:
    sink, file = MailSink(), tmp_path / "alerts.yaml"
    async with listening(sink):
        file.write_text(
            f"receivers: {{boss: {{notify: ['{sink.url}']}}}}\nroutes: {{receiver: boss}}\n"
            "reports: [{kind: daily, to: [boss], at: '00:00', formats: [html, xlsx], language: zh}]\n",
            encoding="utf-8",
        )
        now = SystemClock().now()
        async with service(alerts_db, file=file) as (alerts, bus):
            for day in range(4):  # whichever day is the newest that is over when this runs, and until now
                await recorded(alerts_db, bus, *hour(now - timedelta(days=3 - day, hours=1), first=100 + 10 * day))
            alerts.service.reporter.wake()
            await until(lambda: sink.received)
            mail = sink.received[0]
            sent = (await alerts.get("/reports/periodic"))["reports"]
        names = [part.get_filename() for part in mail.iter_attachments()]
        assert [name.rpartition(".")[2] for name in names if name] == ["html", "xlsx"]
        assert "日报" in str(mail["subject"])
        book = next(part for part in mail.iter_attachments() if str(part.get_filename()).endswith("xlsx"))
        assert zipfile.ZipFile(io.BytesIO(book.get_content())).testzip() is None
        assert [(one["state"], one["receiver"], len(one["files"])) for one in sent] == [("posted", "boss", 2)]


async def test_the_command_writes_the_files_that_it_names(
    tmp_path: Path, alerts_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(alerts_db):
        pass
    sites = tmp_path / "sites.yaml"
    sites.write_text("sites: {s1: {label: First floor, time_zone: Asia/Shanghai}}\n", encoding="utf-8")
    monkeypatch.setenv("FLOORWATCH_SITES_FILE", str(sites))
    url, out = spelled(alerts_db.url), tmp_path / "out"
    asked = ["report", "daily", "--date", DAY, "--format", "json,csv", "--lang", "both", "--db", url, "--out", str(out)]

    def run(*more: str) -> Any:
        return CliRunner().invoke(app, [*asked, *more])

    done = await asyncio.to_thread(run)
    assert done.exit_code == 0, done.output
    names = {path.name for path in out.iterdir()}
    assert names == {f"daily-s1-{DAY}-{lang}.{end}" for lang in ("en", "zh") for end in ("json", "csv.zip")}
    assert all(str(out / name) in done.output for name in names)
    assert json.loads((out / f"daily-s1-{DAY}-en.json").read_bytes())["figures"]["offered"] == 40
    for more, said in (
        (("--date", "2020-01-01"), f"records begin on {DAY}"),
        (("--site", "hq"), "no records of site 'hq'; there are of: s1"),
        (("--date", "soon"), "is no period"),
        (("--format", "docx"), "expected some of html"),
        (("--db", f"{url}_other"), "such database" if url.startswith("sqlite") else '_other" does not exist'),
    ):
        failed = await asyncio.to_thread(run, *more)
        assert isinstance(failed.exception, FloorwatchError)
        assert said in str(failed.exception)


async def test_a_full_disk_leaves_the_report_that_was_there_and_no_half_of_another(
    tmp_path: Path, alerts_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(alerts_db):
        pass
    sites = tmp_path / "sites.yaml"
    sites.write_text("sites: {s1: {label: First floor, time_zone: Asia/Shanghai}}\n", encoding="utf-8")
    monkeypatch.setenv("FLOORWATCH_SITES_FILE", str(sites))
    with small_disk(1) as disk:
        asked = ["report", "daily", "--date", DAY, "--format", "json", "--db", spelled(alerts_db.url)]

        def run() -> Any:
            return CliRunner().invoke(app, [*asked, "--out", str(disk.folder)])

        assert (await asyncio.to_thread(run)).exit_code == 0
        before = {path.name: path.read_bytes() for path in disk.folder.iterdir()}
        assert before
        disk.fill()
        failed = await asyncio.to_thread(run)
        assert isinstance(failed.exception, FloorwatchError)
        assert "No space left on device" in str(failed.exception)
        disk.free()
        assert {path.name: path.read_bytes() for path in disk.folder.iterdir()} == before
