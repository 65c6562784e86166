"""A message says who is told next if nobody acknowledges: the same that the page says, and nothing where nobody is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from floorwatch.alerts import app
from services.alerts.core.course import Coming, promised
from services.alerts.core.sending import Form, Language
from services.alerts.reach.message import Message
from services.alerts.reach.owntemplate import EXAMPLE
from services.alerts.reach.writing import Matter, Writing
from services.alerts.text import Text
from shared.clock import FakeClock
from shared.db import Database
from shared.memorybus import MemoryBus
from tests.alertskit import SITES, TOPICS, publish, running
from tests.flagkit import T0, flag, opened
from tests.sinks import HttpSink, listening
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)

HEAD = Coming("escalated", T0 + timedelta(minutes=30), ("head",))
FILE = """
receivers:
  desk: {webhook: {url: "%s/desk"}}
  head: {webhook: {url: "%s/head"}}
routes:
  receiver: desk
  escalate: [{after: 30m, to: [head]}]
"""


def written(coming: Coming | None, language: Language = "both", form: Form = "long", **told: Any) -> Message:
    it = msgspec.structs.replace(EXAMPLE, site="s1", next=coming, **told)
    return Writing(Text(SITES, "http://x")).write(
        Matter(kind="single", receiver="ops", told=(it,), at=T0), language, form
    )


@pytest.mark.parametrize(
    ("coming", "english", "chinese"),
    [
        (HEAD, "If nobody acknowledges, head is told at 09:30.", "若无人认领，将于 09:30 通知 head。"),
        (
            Coming("reminder", T0 + timedelta(hours=20), ("desk", "head")),
            "If nobody acknowledges, desk, head are told again at 2026-11-23 05:00.",
            "若无人认领，将于 2026-11-23 05:00 再次通知 desk、head。",
        ),
        (
            Coming("worse", T0 + timedelta(hours=1), ("head",)),
            "Unless it is resolved, it becomes more severe at 10:00, and head is told.",
            "若未解决，将于 10:00 升高级别，并通知 head。",
        ),
    ],
)
def test_who_is_told_next_stands_in_the_message_in_the_time_of_the_site(
    coming: Coming, english: str, chinese: str
) -> None:
    both = written(coming).body
    assert english in both.splitlines()
    assert chinese in both.splitlines()
    assert english in written(coming, "en").body
    assert "told" not in written(coming, "zh").body


def test_in_short_it_is_a_few_words_and_what_both_languages_share_stands_once() -> None:
    assert written(HEAD, "en", "short").body == (
        "First floor · Chen Jing · if nobody has it: head at 09:30 · http://x/#incident=42"
    )
    assert written(HEAD, "both", "short").body == (
        "First floor · Chen Jing · if nobody has it: head at 09:30 / 无人认领则 09:30 通知 head · http://x/#incident=42"
    )


@pytest.mark.parametrize("form", ["long", "short"])
def test_nothing_is_said_when_nobody_is_told_next(form: Form) -> None:
    said = written(None, form=form).body
    assert "nobody" not in said
    assert "无人" not in said


def test_only_what_an_acknowledgement_would_stop_is_promised() -> None:
    incident = opened(flag(), T0).incident
    assert promised(incident, HEAD) == HEAD
    assert promised(incident, None) is None
    assert promised(incident, msgspec.structs.replace(HEAD, receivers=())) is None
    for reason in ("action_due", "recheck", "resolved"):
        assert promised(incident, msgspec.structs.replace(HEAD, reason=reason)) is None
    for state in ("acknowledged", "resolved"):
        assert promised(msgspec.structs.replace(incident, state=state), HEAD) is None


async def test_what_is_sent_says_what_the_page_says(alerts_db: Database, tmp_path: Path) -> None:
    bus, clock, sink = MemoryBus(), FakeClock(T0), HttpSink()
    await bus.create(TOPICS)
    async with listening(sink):
        file = tmp_path / "alerts.yaml"
        file.write_text(FILE % (sink.web, sink.web), encoding="utf-8")
        async with running(bus, alerts_db, clock=clock, file=file) as alerts:
            await publish(bus, flag(), flag("f2", "t2"))
            await until(lambda: len(sink.received) == 2)
            found = {one["id"]: one["next"] for one in await alerts.incidents()}
            for said in sink.received:
                (told,) = said["incidents"]
                coming = {"reason": "escalated", "at": "2026-11-22T01:30:00Z", "receivers": ["head"]}
                assert told["next"] == found[told["number"]] == coming
                assert "If nobody acknowledges, head is told at 09:30." in said["text"]
            await alerts.post("/incidents/1/acknowledge", {"by": "Li"})
            await clock.advance(1800)
            await until(lambda: len(sink.received) == 3)
    last = sink.received[-1]
    assert (last["receiver"], last["incidents"][0]["reason"]) == ("head", "escalated")
    assert last["incidents"][0]["next"] is None  # the plan has no further step
    assert "If nobody" not in last["text"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reason", "opened"], "If nobody acknowledges, head is told at "),
        (["--reason", "escalated"], ""),
        (["--reason", "resolved"], ""),
    ],
)
def test_the_preview_says_it_by_the_file(tmp_path: Path, arguments: list[str], said: str) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text(FILE % ("http://127.0.0.1:9", "http://127.0.0.1:9"), encoding="utf-8")
    asked = ["preview", "desk", "--file", str(file), "--lang", "en", "--rule", "slow_transfer", *arguments]
    result = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert said in result.output
    assert ("If nobody" in result.output) == bool(said)
