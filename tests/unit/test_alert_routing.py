"""Who would be told of what: on the command line and by HTTP, which say the same."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from floorwatch.alerts import app
from services.alerts.core.own import own_flag
from shared.clock import FakeClock
from shared.db import Database
from shared.errors import FloorwatchError
from shared.memorybus import MemoryBus
from tests.alertskit import running
from tests.flagkit import T0
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)

FILE = """
receivers:
  desk: {notify: ["mailto://user:hunter2@mail.example.com?to=desk@example.com"]}
  phone: {notify: ["json://127.0.0.1/phone-hunter2"], form: short, then: desk}
  head: {notify: ["json://127.0.0.1/head"], language: zh}
  nobody-uses: {notify: ["json://127.0.0.1/x"]}
schedules:
  night: {spans: [{hours: "20:00-08:00"}]}
groups:
  - {match: {rule: long_wait}, by: [rule, queue]}
routes:
  receiver: desk
  wait: 30s
  repeat: 4h
  routes:
    - match: {severity: critical}
      wait: 0s
      repeat: 45m
      tell_end: true
      escalate: [{after: 30m, to: [head]}]
      routes:
        - {schedule: night, receiver: phone}
raises:
  - {match: {rule: long_wait}, to: critical, after: 1h}
inhibit:
  - {source: {rule: link_silent}, target: {rule: "!link_silent"}}
"""
NIGHT = "2026-11-23 21:00"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "alerts.yaml"
    path.write_text(FILE, encoding="utf-8")
    sites = tmp_path / "sites.yaml"
    sites.write_text("sites: {s1: {time_zone: Asia/Shanghai}}\n", encoding="utf-8")
    monkeypatch.setenv("FLOORWATCH_SITES_FILE", str(sites))
    monkeypatch.setenv("COLUMNS", "200")
    return path


def said(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_a_right_file_is_shown_without_secrets_and_with_what_is_hardly_meant(file: Path) -> None:
    text = said("check", str(file))
    assert "hunter2" not in text
    for part in (
        "is right.  1 warning",
        "mail.example.com",
        "whatever no route below takes → desk  after 30 s, again every 4 h",
        "severity = critical → desk  at once, again every 45 min, nobody takes it: head after 30 min, its end, too",
        "all of it, in the hours of night → phone",
        "Asia/Shanghai (s1)",
        "becomes critical after 1 h, if rule = long_wait",
        "alerts.yaml:6: receivers.nobody-uses",
    ):
        assert part in text, text
    said("check", str(file), "--strict", code=1)


def test_a_wrong_file_is_one_line_and_exit_code_1(file: Path) -> None:
    file.write_text(FILE.replace("receiver: desk", "receiver: desc"), encoding="utf-8")
    text = said("check", str(file), code=1)
    why = "there is no receiver 'desc'; there are: desk, head, nobody-uses, phone"
    assert text == f"{file}:12: routes.receiver: {why}\n"


def test_who_would_be_told_is_said_for_each_severity_with_times_of_the_site(file: Path) -> None:
    text = said(
        "route", "--file", str(file), "--labels", "rule=long_wait,site=s1", "--labels", "queue=sales", "--at", NIGHT
    )
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "rule=long_wait, site=s1, queue=sales, subject=call raised Mon 2026-11-23 21:00 (Asia/Shanghai)" in lines
    critical = lines[lines.index("critical by severity = critical › night") :]
    assert critical[2:5] == [
        "at once 21:00 phone it is open severity = critical › night",
        "30 min 21:30 head nobody took it: next step",
        "1 h 15 min 22:15 phone, head nobody has it yet, again every 45 min until Tue 07:15",
    ]
    (warning,) = (n for n, line in enumerate(lines) if line.startswith("warning as rules.yaml has it"))
    assert lines[warning + 2 : warning + 5] == [
        "30 s 21:00:30 desk it is open the first route",
        "1 h 22:00 it becomes critical",
        "1 h 22:00 desk, phone it became more severe severity = critical › night",
    ]
    assert any("the same rule, queue join it: its key is s1/rule=long_wait/queue=sales" in line for line in lines)
    assert any("while an incident with rule = link_silent stands" in line for line in lines)


def test_only_one_severity_when_it_is_given(file: Path) -> None:
    found = json.loads(said("route", "--file", str(file), "--labels", "severity=info,site=nowhere", "--json"))
    assert [one["severity"] for one in found["courses"]] == ["info"]
    assert (found["known_site"], found["time_zone"], found["not_given"]) == (False, "UTC", ["rule"])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--labels", "rule"], "'rule' has no ="),
        (["--labels", "rule=a,rule=b"], "rule is there twice"),
        (["--labels", "severity=bad"], "severity: there is no 'bad'; there are info, warning, critical"),
        (["--labels", "Rule=a"], "'Rule' is not a label"),
        (["--labels", "rule=a", "--at", "noon"], "--at: expected a time such as"),
        (["--labels", "rule=a", "--at", "0001-01-01"], "--at: expected a time such as"),
    ],
)
def test_what_was_asked_wrongly_is_said(file: Path, arguments: list[str], why: str) -> None:
    with pytest.raises(FloorwatchError, match=why):
        said("route", "--file", str(file), *arguments)


async def test_the_api_says_the_same_as_the_command(file: Path, alerts_db: Database) -> None:
    async with running(MemoryBus(), alerts_db, clock=FakeClock(T0), file=file) as alerts:
        labels = {"rule": "long_wait", "site": "s1", "queue": "sales"}
        asked = {"labels": labels, "at": "2026-11-23T21:00:00+08:00"}
        found = await alerts.post("/routing/explain", asked)
        routing = await alerts.get("/routing")
        for wrong in ({"labels": {"severity": "bad"}}, {"labels": {}, "at": "0001-01-01T00:00:00Z"}):
            await alerts.post("/routing/explain", wrong, 400)
    there = ",".join(f"{name}={value}" for name, value in labels.items())
    command = json.loads(said("route", "--file", str(file), "--labels", there, "--at", NIGHT, "--json"))
    assert {**command, "labels": labels, "courses": 0} == {**found, "courses": 0}
    for ours, theirs in zip(command["courses"], found["courses"], strict=True):
        assert {**ours, "group": ""} == {**theirs, "group": ""}
    checked = json.loads(said("check", str(file), "--json"))
    assert {one.pop("state") for one in routing["receivers"]} == {"ok"}
    assert {one.pop("state") for one in checked["receivers"]} == {None}  # only the service knows how they fare
    moving = {"now": "", "loaded_at": "", "file": "", "schedules": []}
    assert {**checked, **moving} == {**routing, **moving}
    assert routing["schedules"][0]["now"][0] == {
        "time_zone": "Asia/Shanghai",
        "sites": ["s1"],
        "on_duty": False,
        "until": "2026-11-22T12:00:00Z",
    }
    assert "hunter2" not in json.dumps(routing)


def test_a_preview_is_in_the_language_and_form_that_were_asked_for(file: Path) -> None:
    english = said("preview", "desk", "--file", str(file), "--lang", "en", "--rule", "long_wait", "--site", "s1")
    assert english.startswith("[WARNING] #42 an example of long_wait\n")
    assert "Rule: Long wait" in english
    short = json.loads(
        said("preview", "head", "--file", str(file), "--form", "short", "--reason", "reminder", "--json")
    )
    assert (short["receiver"], "仍无人认领" in short["title"], short["body"].count("\n")) == ("head", True, 0)
    with pytest.raises(FloorwatchError, match="--reason: there is no 'hunch'; there are opened, "):
        said("preview", "--file", str(file), "--reason", "hunch")


async def test_a_preview_of_an_incident_is_about_that(file: Path, alerts_db: Database) -> None:
    url = alerts_db.url.render_as_string(hide_password=False)
    async with running(MemoryBus(), alerts_db, clock=FakeClock(T0)) as alerts:
        await alerts.service.desk.raise_own(
            [
                own_flag(
                    "receiver_dead",
                    subject_id="phone",
                    started=T0,
                    raised=T0,
                    summary_en="phone is dead",
                    summary_zh="x",
                )
            ]
        )
    asked = ("preview", "--file", str(file), "--incident", "1", "--db", url, "--lang", "en")
    text = await asyncio.to_thread(said, *asked)
    assert "phone is dead" in text
    assert "#1 " in text.splitlines()[0]
    with pytest.raises(FloorwatchError, match="--incident: there is no incident 7"):
        await asyncio.to_thread(said, *(part if part != "1" else "7" for part in asked))


async def test_what_hides_it_is_named_silences_and_incidents_that_stand(file: Path, alerts_db: Database) -> None:
    clock = FakeClock(T0)
    async with running(MemoryBus(), alerts_db, clock=clock, file=file) as alerts:
        asked = {"labels": {"rule": "long_wait", "site": "s1"}}
        assert (await alerts.post("/routing/explain", asked))["hidden_by"]["silences"] == []
        await alerts.service.desk.raise_own(
            [own_flag("link_silent", site="s1", subject_id="s1", started=T0, raised=T0, summary_en="x", summary_zh="x")]
        )
        silence = {
            "kind": "silence",
            "matchers": {"rule": "long_wait"},
            "reason": "works",
            "by": "Li",
            "duration_s": 3600,
        }
        await alerts.post("/silences", silence, 201)

        async def silences() -> list[str]:
            await clock.advance(1)  # every second an instance asks whether another one made or ended a silence
            found: list[str] = (await alerts.post("/routing/explain", asked))["hidden_by"]["silences"]
            return found

        assert await until(silences) == ["silence 1"]
        assert (await alerts.post("/routing/explain", asked))["hidden_by"]["incidents"] == [1]
        later = {**asked, "at": (T0 + timedelta(hours=2)).isoformat()}
        assert (await alerts.post("/routing/explain", later))["hidden_by"]["silences"] == []


def test_a_message_names_rules_as_people_do_and_says_nothing_twice(file: Path) -> None:
    short = json.loads(said("preview", "head", "--file", str(file), "--form", "short", "--rule", "long_wait", "--json"))
    assert short["body"].count("#incident=") == 1  # a name and a link are the same in both languages
    chinese = said("preview", "desk", "--file", str(file), "--lang", "zh", "--rule", "long_wait", "--site", "s1")
    assert "规则：等待过久" in chinese
    assert "查看并认领" in chinese
