"""The incident report: from the facts, in two languages, fit to print and safe to open."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from services.alerts.pdf import NoPango, render_now
from services.alerts.report.words import words
from services.alerts.text import TEMPLATES
from shared.db import Database
from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, Alerts, publish, running
from tests.flagkit import CALLER, TRANSFER, clearing, flag
from tests.waiting import PATIENCE_S, until

pytest_plugins = ("tests.alertsdb",)
NO_TIMES = {"name": "2026-13-45T99:99:99Z", "reason": "0001-01-01T00:00:00+14:00"}  # what only looks like one
NASTY = "<script>alert(1)</script> | [x](javascript:y)"


@pytest.fixture
async def alerts(alerts_db: Database) -> AsyncIterator[Alerts]:
    """Incident 1: a slow transfer that was taken and resolved. Incident 2: somebody on a long break."""
    bus = MemoryBus()
    await bus.create(TOPICS)
    away = flag(
        "f2",
        "1007",
        rule="long_break",
        subject="agent",
        severity="info",
        summary_en=f"Liu {NASTY}",
        labels={"agent": "1007", "agent_name": NASTY},
        evidence={
            "agent_id": "1007",
            "state": "break",
            "since": TRANSFER["requested"],
            "call": None,
            "legs": True,
            **NO_TIMES,
        },
    )
    async with running(bus, alerts_db) as alerts:
        seen = TRANSFER | {"from_number": CALLER}
        await publish(bus, flag("f1", simulated=True, evidence=seen), clearing("f1"), away)

        async def there() -> bool:
            return len(await alerts.incidents()) == 2

        await until(there)
        await alerts.post("/incidents/1/acknowledge", {"by": "Li Wei", "note": "looking into it"})
        await alerts.post(
            "/incidents/1/actions",
            {"by": "Wu Na", "text": "Staff sales until noon", "owner": "Zhao Lei", "due_on": "2026-11-30"},
            status=201,
        )
        body = {"by": "Wu Na", "note": "coached", "cause": "no free agent", "recheck_on": "2026-12-01"}
        await alerts.post("/incidents/1/resolve", body)
        yield alerts


async def report(alerts: Alerts, query: str = "", number: int = 1) -> str:
    response = await alerts.client.get(f"/api/v1/incidents/{number}/report{query}")
    assert response.status_code == 200
    return response.text


class Text(HTMLParser):
    """The text of a page, and the tags that are in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.said.append(data)

    def __str__(self) -> str:
        return " ".join(" ".join(self.said).split())


FACTS = [
    "2026-11-22 09:00:00",  # since when, where the site is
    "Asia/Shanghai (UTC+08:00)",
    "Chen Jing (1001)",
    "+•••••••••5678",
    "09:00:04.900",  # answered
    "Li Wei",
    "looking into it",
    "Wu Na",
    "coached",
    "no free agent",
    "2026-12-01",
    "Staff sales until noon",
    "Zhao Lei",
    "2026-11-30",
    "First floor",
]


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        (
            "en",
            [
                "Incident report #1",
                "9.3 s (",
                "SIMULATED",
                "Re-check on",
                "Customer heard nobody",
                "no channel configured",
            ],
        ),
        (
            "zh",
            [
                "突发事件报告 #1",
                "9.3 秒 (",
                "模拟数据",
                "复查日期",
                "客户无人应答时长",
                "未配置通知渠道",
                "陈静 转接已超过 7 秒",
            ],
        ),
    ],
)
@pytest.mark.parametrize("form", ["html", "md"])
async def test_it_says_what_happened_to_whom_and_who_did_what(
    alerts: Alerts, lang: str, said: list[str], form: str
) -> None:
    found = await report(alerts, f"?lang={lang}&format={form}")
    text = str(Text(found)) if form == "html" else found
    for fact in [*FACTS, *said]:
        assert fact in text
    assert "139" not in text


async def test_a_report_of_something_else_has_no_transfer_and_no_empty_value(alerts: Alerts) -> None:
    text = str(Text(await report(alerts, number=2)))
    assert "Customer heard nobody" not in text
    assert "SIMULATED" not in text
    assert "None" not in text


async def test_what_came_from_a_switch_never_becomes_markup(alerts: Alerts) -> None:
    page = Text(await report(alerts, number=2))
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in str(page)
    assert "\\<script\\>" in await report(alerts, "?format=md", number=2)


async def test_what_a_switch_calls_somebody_is_no_time_for_looking_like_one(alerts: Alerts) -> None:
    text = str(Text(await report(alerts, number=2)))
    assert all(name in text for name in NO_TIMES.values())


async def test_the_page_stands_alone_and_allows_nothing_but_its_own_style(alerts: Alerts) -> None:
    response = await alerts.client.get("/api/v1/incidents/1/report")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'; style-src 'sha256-" in policy
    assert "unsafe" not in policy
    assert "href=" not in response.text
    assert set(re.findall(r'src="([^,]*),', response.text)) == {"data:image/svg+xml;base64"}
    assert " style=" not in response.text


async def test_the_facts_as_json_are_those_of_the_incident(alerts: Alerts) -> None:
    assert json.loads(await report(alerts, "?format=json")) == await alerts.get("/incidents/1")


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_the_pdf_is_the_page_on_paper(alerts: Alerts, lang: str) -> None:
    response = await alerts.client.get(f"/api/v1/incidents/1/report?format=pdf&lang={lang}")
    if response.status_code == 501:
        pytest.skip("no Pango on this machine: " + response.json()["detail"])
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/pdf"
    assert response.content.startswith(b"%PDF-")
    assert response.content.rstrip().endswith(b"%%EOF")


async def test_long_notes_take_a_pdf_no_minutes(alerts: Alerts) -> None:
    """To find the width of a table's column, every break of a long note was tried: 30 s for one of 4000 characters."""
    long = "客户要求回电" * 660
    await alerts.post("/incidents/1/notes", {"by": "Wu Na", "note": long}, status=201)
    await alerts.post("/incidents/1/reopen", {"by": "Wu Na", "note": long})
    async with asyncio.timeout(PATIENCE_S):
        response = await alerts.client.get("/api/v1/incidents/1/report?format=pdf")
    if response.status_code == 501:
        pytest.skip("no Pango on this machine")
    assert response.content.startswith(b"%PDF")


def test_a_pdf_fetches_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret.svg"
    secret.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    asked = pytest.MonkeyPatch()
    opened: list[str] = []
    asked.setattr("urllib.request.urlopen", lambda *args, **_: opened.append(str(args[0])))
    try:
        render_now(f'<img src="file://{secret}"><img src="http://127.0.0.1:9/x.png">')
    except NoPango as exc:
        pytest.skip(str(exc))
    finally:
        asked.undo()
    assert opened == []


async def test_a_language_we_do_not_speak_is_refused(alerts: Alerts) -> None:
    await alerts.get("/incidents/1/report?lang=de", 422)


def test_both_languages_have_every_word() -> None:
    assert words("en").keys() == words("zh").keys()
    used = set(re.findall(r"\bw\.(\w+)", "".join(p.read_text("utf-8") for p in TEMPLATES.glob("report.*.j2")))) - {
        "get"
    }
    assert used <= words("en").keys()


async def test_a_cause_once_found_is_in_the_report_of_what_came_back(alerts: Alerts) -> None:
    await alerts.post("/incidents/1/reopen", {"by": "Wu Na", "note": "again"})
    assert "(no free agent)" in await report(alerts)
