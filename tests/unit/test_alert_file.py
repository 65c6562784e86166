"""The alert file: what it makes of flags, what it refuses with file, line and key, and that it is read anew on a change."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from services.alerts.alertfile.live import InForce
from services.alerts.alertfile.reading import Alerts, load_alerts
from services.alerts.core.explained import explained
from services.alerts.core.incident import Policy
from shared import filewatch
from shared.clock import SystemClock
from shared.errors import SettingsError
from shared.settings import ROOT, AlertsSettings
from tests.flagkit import flag
from tests.waiting import until

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # a Monday, 12:00 in Shanghai
NIGHT = NOON + timedelta(hours=12)
FILE = """
receivers:
  ops: {notify: ["json://127.0.0.1/ops"]}
  phone: {notify: ["env:PHONE_URL"]}
  chief: {}
schedules:
  night:
    spans: [{hours: "20:00-08:00"}]
groups:
  - {match: {rule: long_wait}, by: [queue]}
routes:
  receiver: ops
  wait: 10s
  repeat: 4h
  escalate: [{after: 30m, to: [chief]}]
  routes:
    - {match: {simulated: "yes"}, repeat: never, escalate: []}
    - match: {severity: critical}
      wait: 0s
      routes:
        - {receiver: phone, schedule: night, continue: true}
        - {receiver: chief, match: {site: "hq*"}}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "alerts.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Alerts:
    monkeypatch.setenv("PHONE_URL", "json://127.0.0.1/a json://127.0.0.1/b")
    return load_alerts(write(tmp_path, FILE))


def test_the_file_of_the_project_is_right_and_tells_whom_the_variable_names() -> None:
    alerts = load_alerts(ROOT / "deploy" / "alerts.yaml", ("json://127.0.0.1/x",))
    (leaf,) = alerts.handling.plan(flag(), "Asia/Shanghai").leaves("critical", NOON)
    assert leaf.wait == timedelta(0)  # what is critical waits for nothing
    assert [url for url, _ in alerts.receivers[leaf.receiver].urls] == ["json://127.0.0.1/x"]
    assert load_alerts(ROOT / "deploy" / "alerts.yaml").receivers[leaf.receiver].urls == ()


def test_a_route_has_what_the_one_above_says_unless_it_says_otherwise(read: Alerts) -> None:
    plan = read.handling.plan(flag(site="hq1"), "Asia/Shanghai")
    (warning,) = plan.leaves("warning", NOON)
    assert (warning.receiver, warning.wait, warning.repeat) == ("ops", timedelta(seconds=10), timedelta(hours=4))
    assert [step.receivers for step in warning.steps] == [("chief",)]
    (by_day,) = plan.leaves("critical", NOON)
    assert (by_day.receiver, by_day.wait, by_day.repeat) == ("chief", timedelta(0), timedelta(hours=4))
    assert by_day.path == "severity = critical › site = hq*"
    assert [leaf.receiver for leaf in plan.leaves("critical", NIGHT)] == ["phone", "chief"]
    (simulated,) = read.handling.plan(flag(simulated=True), "Asia/Shanghai").leaves("critical", NIGHT)
    assert (simulated.receiver, simulated.repeat, simulated.steps) == ("ops", None, ())


def test_flags_of_one_group_are_one_incident_and_others_are_by_their_subject(read: Alerts) -> None:
    group = read.handling.group
    waits = [flag(f"f{n}", f"c{n}", rule="long_wait", subject="call", labels={"queue": "sales"}) for n in range(2)]
    assert group(waits[0]) == group(waits[1])
    assert group(waits[0]) != group(flag(rule="long_wait", subject="call", labels={"queue": "support"}))
    assert group(waits[0]) != group(flag(rule="long_wait", site="s2", subject="call", labels={"queue": "sales"}))
    assert group(flag("a", "t1")) != group(flag("b", "t2"))


def test_a_variable_may_hold_several_channels(read: Alerts) -> None:
    assert [url for url, _ in read.receivers["phone"].urls] == ["json://127.0.0.1/a", "json://127.0.0.1/b"]


def test_a_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "url"
    secret.write_text("json://127.0.0.1/s\n")
    monkeypatch.setenv("OPS_URL_FILE", str(secret))
    for written in (f"file:{secret}", "env:OPS_URL"):
        alerts = load_alerts(write(tmp_path, f'receivers: {{a: {{notify: ["{written}"]}}}}\nroutes: {{receiver: a}}\n'))
        assert [url for url, _ in alerts.receivers["a"].urls] == ["json://127.0.0.1/s"]


def test_a_secret_that_is_there_twice_or_empty_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("\n")
    webhook = "{{webhook: {{url: 'https://there.example', secret: '{}'}}}}"
    monkeypatch.setenv("HOOK_FILE", str(secret))
    for written in (f"file:{secret}", "env:HOOK"):
        text = f"receivers: {{a: {webhook.format(written)}}}\nroutes: {{receiver: a}}\n"
        with pytest.raises(SettingsError, match=r"alerts.yaml:1: receivers.a.webhook.secret: .* is empty"):
            load_alerts(write(tmp_path, text))
    monkeypatch.setenv("HOOK", "another")
    with pytest.raises(SettingsError, match=r"webhook.secret: HOOK and HOOK_FILE are both set"):
        load_alerts(write(tmp_path, text))


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        (
            "  receiver: ops\n  wait",
            "  receiver: opps\n  wait",
            r"alerts.yaml:12: routes.receiver: there is no receiver 'opps'",
        ),
        ("  wait: 10s", "  wait: ten", r"alerts.yaml:13: routes.wait: expected a duration"),
        ("wait: 0s", "wait: 0s\n      schedule: nihgt", r"alerts.yaml:20: .*schedule: there is no schedule 'nihgt'"),
        ("  repeat: 4h", "  repeat: 0s", r"alerts.yaml:14: routes.repeat: expected longer than nothing"),
        ("20:00-08:00", "20:00-8", r"alerts.yaml:8: schedules.night.spans\[0\].hours: expected hours"),
        ("to: [chief]", "to: []", r"alerts.yaml:15: routes.escalate\[0\].to: expected at least one receiver"),
        ("after: 30m", "after: 0s", r"alerts.yaml:15: routes.escalate\[0\].after: expected longer"),
        ("by: [queue]", "by: []", r"alerts.yaml:10: groups\[0\].by: expected at least one label"),
        ("  wait: 10s", "  match: {site: hq}", r"alerts.yaml:11: routes: the first route takes everything"),
        ("  receiver: ops\n  wait", "  wait", r"alerts.yaml:11: routes: expected a receiver"),
        ("{severity: critical}", "{severity: [critical, '!info']}", r"alerts.yaml:18: .*all values with !"),
        ("  wait: 10s", "  wiat: 10s", r"alerts.yaml:13: .*wiat"),
        ("env:PHONE_URL", "env:NO_SUCH_URL", r"alerts.yaml:4: .*the environment has no variable NO_SUCH_URL"),
        ("env:PHONE_URL", "file:/nowhere/url", r"alerts.yaml:4: .*/nowhere/url cannot be read"),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, instead: str, said: str
) -> None:
    monkeypatch.setenv("PHONE_URL", "json://127.0.0.1/a")
    assert line in FILE
    with pytest.raises(SettingsError, match=said):
        load_alerts(write(tmp_path, FILE.replace(line, instead, 1)))


async def test_a_changed_file_counts_at_once_and_a_wrong_one_leaves_the_old_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filewatch, "POLL_S", 0.005)
    path = write(tmp_path, "receivers: {a: {}}\nroutes: {receiver: a}\n")
    told: list[str] = []
    registry = CollectorRegistry()
    live = InForce(AlertsSettings(port=0, file=path), SystemClock(), registry, lambda: told.append(live.file_error))
    task = asyncio.create_task(live.watch())
    try:
        write(tmp_path, "receivers: {a: {}, b: {}}\nroutes: {receiver: b}\n")
        await until(lambda: live.alerts.handling.routes.root.leaf.receiver == "b")
        write(tmp_path, "receivers: {a: {}, b: {}}\nroutes: {receiver: nobody}\n")
        await until(lambda: bool(live.file_error))
        assert "alerts.yaml:2: routes.receiver" in live.file_error
        assert live.alerts.handling.routes.root.leaf.receiver == "b"
        assert registry.get_sample_value("alerts_file_reload_failures_total") == 1
        write(tmp_path, "receivers: {a: {}, c: {}}\nroutes: {receiver: c}\n")
        await until(lambda: live.alerts.handling.routes.root.leaf.receiver == "c")
        assert live.file_error == ""
        assert [bool(one) for one in told] == [False, True, False]
    finally:
        task.cancel()


def test_a_route_after_continue_wakes_people_too(tmp_path: Path) -> None:
    """Nobody would notice a step that is written in the file and never comes."""
    text = """
receivers: {ticketing: {}, phone: {}, chief: {}}
routes:
  receiver: phone
  routes:
    - {match: {rule: "*"}, receiver: ticketing, wait: 5s, continue: true}
    - {match: {severity: critical}, wait: 0s, tell_end: true, escalate: [{after: 10m, to: [chief]}]}
"""
    handling = load_alerts(write(tmp_path, text)).handling
    policy = Policy(timedelta(minutes=15), timedelta(hours=8), timedelta(hours=8))
    (course,) = explained(handling, {"rule": "r", "severity": "critical"}, "UTC", policy, NOON).courses
    assert [(one.at - NOON, one.receivers) for one in course.told] == [
        (timedelta(0), ("phone",)),
        (timedelta(seconds=5), ("ticketing",)),
        (timedelta(minutes=10), ("chief",)),
    ]
