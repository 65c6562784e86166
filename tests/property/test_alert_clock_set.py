"""A clock that is set back holds nothing up: what waits is late by its own wait at most, and nothing is told twice for it."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.alertfile.receivers import Receiver, Webhook
from services.alerts.core.clockset import rebased
from services.alerts.core.course import next_look
from services.alerts.core.handling import Handling
from services.alerts.core.plan import Leaf, Step
from services.alerts.core.routes import Route, Routes, to
from services.alerts.core.sending import RETRIES, SET_BACK
from services.alerts.reach.channels import Channels
from services.alerts.reach.claiming import Claim, Claiming
from services.alerts.reach.concluding import Concluding
from services.alerts.reach.outbox import Outbox
from services.alerts.reach.outgoing import Answer
from services.alerts.reach.queue import Lane, Queue
from services.alerts.reach.writing import Writing
from services.alerts.repositories import Incidents
from services.alerts.text import Text
from shared.db import Database
from tests.alertskit import SITES
from tests.flagkit import T0, flag, opened
from tests.holdkit import Fleet
from tests.property.test_alert_course import GRID, HORIZON, POLICY, Course, leaves

pytest_plugins = ("tests.alertsdb",)
HOUR = timedelta(hours=1)
BACK = st.integers(11, 4 * HORIZON).map(lambda n: n * GRID)  # more than SET_BACK


def gone_on(course: Course, steps: int) -> None:
    """Looked at whenever it asks for it, for so many steps of the grid."""
    end = course.now + steps * GRID
    course.look()
    while (due := next_look(course.incident, POLICY, course.now)) is not None and due <= end:
        course.now = max(due, course.now)
        course.look()
    course.now = end


@given(leaves(), BACK, st.integers(0, HORIZON))
def test_what_waits_comes_by_its_own_wait_from_then_on(leaf: Leaf, back: timedelta, before: int) -> None:
    course = Course(Handling(Routes(Route(leaf))), "warning")
    gone_on(course, before)
    told = len(course.told)
    course.now -= back
    at = course.now + SET_BACK  # as much is held for a difference of clocks
    gone_on(course, HORIZON)
    after = [(found, data["reason"]) for found, data in course.told[told:]]
    reasons = [data["reason"] for _, data in course.told]
    assert reasons.count("opened") == 1
    if not told:
        assert after[0][0] <= at + leaf.wait
    escalated = [found for found, reason in after if reason == "escalated"]
    assert set(course.incident.telling.escalated) == set(leaf.steps)
    assert all(found <= at + max(leaf.wait, leaf.steps[-1].after) for found in escalated)
    if leaf.repeat is not None:
        assert after[0][0] <= at + max(leaf.wait, leaf.repeat)


@given(BACK, st.timedeltas(timedelta(0), SET_BACK))
def test_it_is_put_right_once_and_a_small_difference_of_clocks_is_none(back: timedelta, small: timedelta) -> None:
    one = opened(flag(), T0).incident
    assert rebased(one, T0 - small) is None
    change = rebased(one, T0 - back)
    assert change is not None
    assert change.entry.data == {"by_s": back.total_seconds()}
    assert (change.incident.open_since, change.incident.opened_at) == (T0 - back, T0)
    assert rebased(change.incident, T0 - back) is None


async def test_the_service_finds_what_waits_by_itself(alerts_db: Database) -> None:
    fleet = Fleet(alerts_db)
    steps = (Step(timedelta(minutes=10), ("boss",)),)
    for service in fleet.services:
        handling = Handling(to("ops", wait=timedelta(minutes=1), steps=steps))
        service.in_force.alerts = msgspec.structs.replace(service.in_force.alerts, handling=handling)
    await fleet.take(flag("f1"))
    await fleet.attend()
    fleet.clock.set_by(-7200)
    await fleet.attend(1)
    assert await fleet.kinds(1) == ["opened", "clock_set_back"]
    await fleet.pass_(timedelta(minutes=1))
    assert await fleet.told(1) == ["opened"]
    await fleet.pass_(timedelta(minutes=9))
    assert await fleet.told(1) == ["opened", "escalated"]

    await fleet.silence({"rule": "slow_transfer"}, timedelta(minutes=5), starts_in=timedelta(minutes=5))
    for minutes, held in ((4, ""), (2, "silence 1"), (5, "")):  # all before the time at which all were compared last
        await fleet.pass_(timedelta(minutes=minutes))
        assert (await fleet.incidents())[0].held == held


class Sending:
    """One channel of one receiver with one notice that was written at T0."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.channels = Channels([Receiver("a", webhook=Webhook("http://127.0.0.1:9/a", "", "a"))])
        self.lane = Lane("a", self.channels.of["a"][0].key)
        self.claiming = Claiming(database, Writing(Text(SITES, "")))

    async def write(self) -> None:
        async with self.database.unit_of_work() as session:
            (one,) = await Incidents(session).save([opened(flag(), T0)], T0, lambda _: None)
            told = {"receivers": ["a"], "telling": 1, "reason": "opened"}
            Outbox(session).add(one, told, self.channels.of, timedelta(), T0)

    async def due_at(self, now: datetime) -> datetime | None:
        async with self.database.reading() as session:
            (work,) = await Queue(session).work(now)
        return work.next_at(self.channels.limit("a"), now)

    async def claimed(self, now: datetime) -> Claim:
        claim = await self.claiming.next(self.lane, self.channels, now)
        assert claim is not None
        assert claim.outgoing is not None
        return claim

    async def fails(self, claim: Claim, now: datetime) -> None:
        concluding = Concluding(self.database)
        await concluding.record(self.lane, claim, Answer(False, "no"), 0.1, self.channels, RETRIES, now)


@pytest.fixture
async def sending(alerts_db: Database) -> Sending:
    sending = Sending(alerts_db)
    await sending.write()
    return sending


async def test_a_notice_goes_at_once(sending: Sending) -> None:
    assert await sending.due_at(T0 - HOUR) == T0 - HOUR
    assert not (await sending.claimed(T0 - HOUR)).doubtful


async def test_a_message_is_tried_again_at_once_and_then_by_its_own_waits(sending: Sending) -> None:
    await sending.fails(await sending.claimed(T0), T0)
    assert T0 < (await sending.due_at(T0) or T0) <= T0 + RETRIES[0]
    back = T0 - HOUR
    assert await sending.due_at(back) == back
    await sending.fails(await sending.claimed(back), back)
    assert back + RETRIES[0] < (await sending.due_at(back) or back) <= back + RETRIES[1]
    assert await sending.claiming.next(sending.lane, sending.channels, back) is None


async def test_what_another_instance_sends_now_is_not_sent_again_for_a_small_difference(sending: Sending) -> None:
    await sending.claimed(T0)
    assert await sending.claiming.next(sending.lane, sending.channels, T0 - timedelta(minutes=2)) is None
    again = await sending.claimed(T0 - HOUR)  # its process ended, and nobody knows whether it was sent
    assert again.doubtful
