"""Whatever is told, refused, killed or held back by a limit: each notice ends, carried by a sent message or failed with why.

The real database and the real queries; only the channel stands for the world, which takes, refuses or lets the process die.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from sqlalchemy import select

from services.alerts.alertfile.receivers import Receiver, Webhook
from services.alerts.app import MIGRATIONS
from services.alerts.core.course import next_look
from services.alerts.core.incident import Policy
from services.alerts.core.sending import Limit, falls_over_to, instead_of, loop_in, who_hears
from services.alerts.reach.channels import Channels
from services.alerts.reach.claiming import Claiming
from services.alerts.reach.concluding import Concluding
from services.alerts.reach.outbox import Outbox
from services.alerts.reach.outgoing import Answer, Outgoing
from services.alerts.reach.queue import Lane, Queue
from services.alerts.reach.tables import MessageRow
from services.alerts.reach.writing import Writing
from services.alerts.repositories import Incidents
from services.alerts.tables import NotificationRow
from services.alerts.text import Text
from shared.db import Database
from tests.alertskit import SITES
from tests.databases import BOTH, examples, own_database
from tests.flagkit import T0, flag, opened

RETRIES = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10))
FATES = st.sampled_from(["taken", "taken", "refused", "died after it was taken", "died before"])
NAMES = ("a", "b", "c")


class World(Struct):
    """What happens to each attempt, and which incidents' tellings really arrived where."""

    fates: Iterator[str]
    arrived: list[
        tuple[str, int, int, bool]
    ]  # receiver, incident, telling, whether it said that it may be a second copy

    def sends(self, one: Outgoing) -> tuple[bool, Answer]:
        """Whether the process lives on, and what is answered."""
        fate = next(self.fates, "taken")
        if fate in ("taken", "died after it was taken"):
            self.arrived += [(one.receiver, told.number, told.telling, one.again) for told in one.told]
        return not fate.startswith("died"), Answer(fate == "taken", fate)


@pytest.mark.parametrize("kind", BOTH)
@settings(max_examples=examples(25))
@given(
    tellings=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 90)), min_size=1, max_size=4),
    fates=st.lists(FATES, max_size=40),
    burst=st.integers(1, 4),
    every=st.integers(1, 60),
    then=st.sampled_from([{}, {"a": "b"}, {"a": "b", "b": "c"}]),
)
def test_every_notice_ends_and_none_is_there_twice_unsaid(
    kind: str, tellings: list[tuple[int, int]], fates: list[str], burst: int, every: int, then: dict[str, str]
) -> None:
    limit = Limit(burst, timedelta(seconds=every))
    receivers = [
        Receiver(name, webhook=Webhook(f"http://127.0.0.1:9/{name}", "", name), then=then.get(name, ""), limit=limit)
        for name in NAMES
    ]
    world = World(iter(fates), [])
    asyncio.run(_course(kind, Channels(receivers), tellings, world, limit))


async def _course(kind: str, channels: Channels, tellings: list[tuple[int, int]], world: World, limit: Limit) -> None:
    async with own_database(kind, MIGRATIONS) as database:
        await _tell(database, channels, tellings)
        await _run(database, channels, world, limit)
        await _check(database, world)


async def _tell(database: Database, channels: Channels, tellings: list[tuple[int, int]]) -> None:
    """Each telling is of so many incidents, so many seconds after the start."""
    number = 0
    for many, after in tellings:
        at = T0 + timedelta(seconds=after)
        for _ in range(many):
            number += 1
            change = opened(flag(f"f{number}", f"t{number}"), at)
            async with database.unit_of_work() as session:
                (one,) = await Incidents(session).save([change], at, lambda one: next_look(one, Policy(), T0))
                told = {"receivers": ["a"], "telling": 1, "reason": "opened"}
                Outbox(session).add(one, told, channels.of, timedelta(), at)


async def _run(database: Database, channels: Channels, world: World, limit: Limit) -> None:
    """Senders that live as long as the world lets them, until there is nothing to do any more."""
    claiming, concluding = Claiming(database, Writing(Text(SITES, ""))), Concluding(database)
    sent: dict[Lane, list[datetime]] = {}
    now = T0
    for _ in range(400):
        async with database.reading() as session:
            due = {
                one.lane: at for one in await Queue(session).work(now) if (at := one.next_at(limit, now)) is not None
            }
        if not due:
            return
        lane = min(due, key=lambda one: (due[one], one.receiver))
        now = max(now, due[lane])
        claim = await claiming.next(lane, channels, now)
        if claim is None or claim.outgoing is None:
            continue
        sent.setdefault(lane, []).append(now)
        assert sum(at > now - limit.every * limit.burst for at in sent[lane]) <= 2 * limit.burst
        lives, answer = world.sends(claim.outgoing)
        if lives:
            await concluding.record(lane, claim, answer, 0.1, channels, RETRIES, now)
    raise AssertionError("something waits for ever")


async def _check(database: Database, world: World) -> None:
    async with database.reading() as session:
        notices = list(await session.scalars(select(NotificationRow)))
        messages = {row.id: row for row in await session.scalars(select(MessageRow))}
    for notice in notices:
        assert notice.state in ("sent", "failed")
        assert notice.answer
        message = messages[notice.message_id]
        assert (message.state, message.receiver) == (notice.state, notice.receiver)
        if notice.state == "sent":
            assert any(one[:3] == (notice.receiver, notice.incident_id, notice.telling) for one in world.arrived)
    for (receiver, number, telling), copies in Counter(one[:3] for one in world.arrived).items():
        if copies == 1:
            continue
        again = [one[3] for one in world.arrived if one[:3] == (receiver, number, telling)]
        assert all(again[1:]), "a second copy says that it may be one"
        (notice,) = [n for n in notices if (n.receiver, n.incident_id, n.telling) == (receiver, number, telling)]
        assert messages[notice.message_id].doubtful


@given(
    then=st.dictionaries(st.sampled_from("abcd"), st.sampled_from("abcd"), max_size=4).filter(lambda t: not loop_in(t)),
    receivers=st.lists(st.sampled_from("abcd"), min_size=1, unique=True),
    about=st.sampled_from("abcd"),
)
def test_what_is_about_a_receiver_never_goes_to_it(then: dict[str, str], receivers: list[str], about: str) -> None:
    hear = who_hears(receivers, then, about)
    assert about not in hear
    assert all(instead_of(one, then, about) != about for one in hear)
    if any(not falls_over_to(one, about, then) for one in receivers if one != about):
        assert not any(falls_over_to(one, about, then) for one in hear)
    if any(one != about for one in receivers):
        assert hear, "whoever can be told is told"


@given(burst=st.integers(1, 5), every=st.integers(1, 30), gaps=st.lists(st.integers(0, 40), max_size=40))
def test_a_limit_lets_through_what_it_says_and_no_more(burst: int, every: int, gaps: list[int]) -> None:
    limit, full_at, now, taken = Limit(burst, timedelta(seconds=every)), None, T0, list[datetime]()
    for gap in gaps:
        now += timedelta(seconds=gap)
        free = limit.free_at(full_at, now)
        assert (limit.left(full_at, now) > 0) == (free is None or free <= now)
        if limit.left(full_at, now):
            full_at = limit.spent(full_at, now)
            taken.append(now)
    back = now - timedelta(hours=1)  # the clock is set right
    assert (limit.left(full_at, back), limit.free_at(full_at, back)) == (burst, None)
    assert limit.spent(full_at, back) == back + limit.every
    for n, first in enumerate(taken):
        for more, last in enumerate(taken[n:]):
            assert more + 1 <= burst + (last - first) // limit.every + 1
