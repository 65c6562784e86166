"""What is explained beforehand is what happens: the same people are told at the same times for the same reasons."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.alertfile.reading import load_alerts
from services.alerts.core.explained import Explained, explained
from services.alerts.core.handling import Handling
from services.alerts.core.plan import SEVERITIES
from services.alerts.repositories import Incidents
from shared.db import Database
from tests.flagkit import T0, flag
from tests.holdkit import Fleet
from tests.property.test_alert_course import GRID, HORIZON, POLICY, handlings, played

pytest_plugins = ("tests.alertsdb",)

Telling = tuple[datetime, str, tuple[str, ...]]


def promised(found: Explained, severity: str, until: datetime) -> list[Telling]:
    """Every single telling, runs of reminders taken apart."""
    (course,) = (one for one in found.courses if one.severity == severity)
    assert course.until >= until or not course.goes_on
    return [
        (at, one.reason.value, one.receivers)
        for one in course.told
        for n in range(one.times)
        if (at := one.at + n * (one.every or timedelta(0))) <= until
    ]


@settings(max_examples=30)
@given(handlings(), st.sampled_from(SEVERITIES))
def test_who_looks_all_the_time_sees_what_was_explained(handling: Handling, severity: str) -> None:
    given_ = {"rule": "slow_transfer", "site": "s1", "subject": "transfer"}
    found = explained(handling, given_, "Asia/Shanghai", POLICY, T0)
    seen = played(handling, severity, [], always=True)
    end = T0 + HORIZON * GRID
    assert promised(found, severity, end) == [(at, data["reason"], tuple(data["receivers"])) for at, data in seen.told]
    raises = [change.entry.at for change in seen.changes if change.entry.kind == "raised"]
    (course,) = (one for one in found.courses if one.severity == severity)
    assert [at for at, _ in course.raised if at <= end] == raises


HOSPITAL = """
receivers: {desk: {}, phone: {}, head: {}, board: {}}
schedules:
  night: {spans: [{hours: "20:00-08:00"}, {hours: "08:00-20:00", days: [sat, sun]}]}
  day: {spans: [{hours: "08:00-20:00", days: [mon, tue, wed, thu, fri]}]}
routes:
  receiver: desk
  wait: 30s
  repeat: 4h
  routes:
    - match: {severity: critical}
      wait: 0s
      repeat: 45m
      escalate: [{after: 15m, to: [head]}, {after: 1h, to: [board, head]}]
      routes:
        - {schedule: night, receiver: phone, continue: true}
        - {schedule: day, receiver: desk}
    - {match: {severity: info}, schedule: night, receiver: phone, repeat: never}
raises:
  - {match: {severity: warning}, to: critical, after: 2h}
"""


async def test_the_service_itself_tells_whom_it_explained(alerts_db: Database, tmp_path: Path) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text(HOSPITAL, encoding="utf-8")
    fleet = Fleet(alerts_db, instances=1)  # on a Sunday, 9:00 in Shanghai
    alerts = fleet.services[0].in_force.alerts = load_alerts(file)
    flags = {severity: flag(severity, severity, severity=severity) for severity in SEVERITIES}
    await fleet.take(*flags.values())
    opened, policy = fleet.clock.now(), fleet.desk().policy
    await fleet.pass_(timedelta(hours=25))
    for number, (severity, one) in enumerate(flags.items(), start=1):
        found = explained(alerts.handling, one.all_labels, "Asia/Shanghai", policy, opened)
        async with alerts_db.reading() as session:
            entries = await Incidents(session).entries(number)
        told = [(e.at, e.data["reason"], tuple(e.data["receivers"])) for e in entries if e.kind == "told"]
        until = found.courses[0].until
        assert [one for one in told if one[0] <= until] == promised(found, severity, until)
        assert len(told) > 3 or severity == "info"
