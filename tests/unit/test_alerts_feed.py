"""The hub of the incidents' feed, without a network: bursts, scopes, bounds, ends."""

from __future__ import annotations

import asyncio

import msgspec

from services.alerts.feed import elsewhere, messages
from services.alerts.feed.reader import MAX_WAITING
from shared.clock import FakeClock
from shared.db import Database
from shared.identity import Principal, Scope
from shared.memorybus import MemoryBus
from tests.alertpages import Page, Shutter, hub_of, view
from tests.alertskit import TOPICS, publish, running
from tests.databases import spelled
from tests.flagkit import flag
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)
SALES = Principal("wall", "Wall", roles=frozenset({"viewer"}), scope=Scope(queues=frozenset({"sales"})))


def types(page: Page) -> list[str]:
    return [one["type"] for one in page.outlet.frames]


async def test_a_burst_of_one_incident_is_one_message() -> None:
    hub = hub_of()
    page = Page(hub, list)
    for version in range(1, 30):
        hub.changed(view(1, version))
    hub.changed(view(2, 7))
    hub.changed(view(2, 6))  # an older one never replaces a newer one
    assert types(page) == ["hello"]
    await until(lambda: len(page.outlet.frames) >= 3)
    told = [(one["incident"]["id"], one["incident"]["version"]) for one in page.outlet.frames[1:]]
    assert told == [(1, 29), (2, 7)]


async def test_numbers_that_people_typed_are_masked_for_everybody() -> None:
    hub = hub_of()
    page = Page(hub, list)
    hub.changed(view(1).model_copy(update={"cause": "call back +45 30 12 34 56"}))
    hub.flush()
    assert page.outlet.frames[-1]["incident"]["cause"] == "call back +•• •• •• 34 56"


async def test_what_somebody_may_see_is_looked_at_again_when_it_leaves() -> None:
    """Their rights shrink while a message waits for their slow connection."""
    hub = hub_of()
    now: list[Principal | None] = [SALES]
    page = Page(hub, list, SALES, lambda: now[0])
    page.shut()
    hub.changed(view(1, labels={"queue": "sales"}, subject="queue"))
    hub.changed(view(2, labels={"queue": "support"}, subject="queue"))
    hub.flush()
    now[0] = msgspec.structs.replace(SALES, scope=Scope(queues=frozenset()))
    page.open()
    assert types(page) == ["hello"]
    assert page.outlet.closed is not None
    assert page.outlet.closed[0] == messages.AUTHORISATION_CHANGED


async def test_a_token_that_ends_ends_its_page_at_the_next_beat() -> None:
    hub = hub_of()
    now: list[Principal | None] = [SALES]
    page = Page(hub, list, SALES, lambda: now[0])
    other = Page(hub, list)
    now[0] = None
    hub.beat()
    assert page.outlet.closed is not None
    assert page.outlet.closed[0] == messages.NOT_AUTHENTICATED
    assert types(other) == ["hello", "beat"]


async def test_a_page_far_behind_is_told_to_ask_anew_once_and_then_what_came_after() -> None:
    hub = hub_of()
    page = Page(hub, list)
    page.shut()
    for number in range(MAX_WAITING + 50):
        hub.changed(view(number))
    hub.status_changed()
    hub.flush()
    page.open()
    kinds = types(page)
    assert kinds[:3] == ["hello", "status", "resync"]
    assert kinds.count("resync") == 1
    assert kinds.count("incident") == 50  # 199 wait beside the status; of the one too many the list will tell


async def test_a_page_that_takes_nothing_is_let_go_and_costs_the_others_nothing() -> None:
    hub = hub_of(slow_s=1e-9)
    stuck, other = Page(hub, list), Page(hub, list)
    stuck.shut()
    hub.silences_changed()
    hub.beat()  # from then on it is watched
    await asyncio.sleep(0)
    hub.beat()
    assert stuck.outlet.closed is not None
    assert stuck.outlet.closed[0] == messages.TOO_SLOW
    assert types(other) == ["hello", "silences", "beat", "beat"]


async def test_one_user_has_so_many_pages_and_no_more() -> None:
    hub = hub_of(max_connections=2)
    pages = [Page(hub, list), Page(hub, list)]
    assert hub.join(Shutter()) is None
    assert hub.join(Shutter(), SALES) is not None, "another user has their own number"
    hub.left(pages[0].reader)
    assert hub.join(Shutter()) is not None


async def test_who_comes_while_the_service_ends_is_sent_on() -> None:
    hub = hub_of()
    first = Page(hub, list)
    hub.close()
    late = Page(hub, list)
    for page in (first, late):
        assert page.outlet.closed is not None
        assert page.outlet.closed[0] == messages.GOING_AWAY


async def test_nothing_beats_while_nobody_listens() -> None:
    clock = FakeClock()
    hub = hub_of(clock)
    running = asyncio.create_task(hub.run())
    await clock.advance(10)
    page = Page(hub, list)
    await clock.advance(2.5)
    assert types(page) == ["hello", "beat", "beat"]
    running.cancel()


async def test_pages_of_one_instance_hear_what_another_one_did(alerts_db: Database) -> None:
    bus, nothing = MemoryBus(), MemoryBus()
    await bus.create(TOPICS)
    await nothing.create(TOPICS)
    theirs = Database(spelled(alerts_db.url))
    async with running(nothing, alerts_db) as ours, running(bus, theirs) as others:
        service = ours.service
        page = Page(service.hub, list)
        seen = await elsewhere.look(service.hub, service.desk, alerts_db, service._clock, None)
        await publish(bus, flag())
        await until(others.incidents)
        await elsewhere.look(service.hub, service.desk, alerts_db, service._clock, seen)
        await until(lambda: types(page)[-1] == "incident")
        told = page.outlet.frames[-1]["incident"]
        assert (told["id"], told["state"]) == (1, "open")
        await elsewhere.look(service.hub, service.desk, alerts_db, service._clock, seen)
        service.hub.flush()
        versions = [one["incident"]["version"] for one in page.outlet.frames if one["type"] == "incident"]
        assert versions == sorted(set(versions)), "and of each change only once"
    await theirs.close()
