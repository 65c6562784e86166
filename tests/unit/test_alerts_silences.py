"""Silences and maintenance windows: what they hold, what they show beforehand, who may make them; on each database there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from services.alerts.core import lifecycle as steps
from services.alerts.core.incident import WrongTransition
from services.alerts.core.labels import fits, matchers
from services.alerts.core.silences import WrongSilence
from services.alerts.silences.repository import wake
from services.alerts.silences.scope import BeyondScope, may_end, narrowed, visible
from shared.auth import Scope
from shared.db import Database
from shared.memorybus import MemoryBus
from tests import alertskit
from tests.alertskit import TOPICS, Alerts, publish, running
from tests.authkit import bearer, settings, users_file
from tests.flagkit import clearing, flag
from tests.holdkit import Fleet
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)

HOUR = timedelta(hours=1)


@pytest.fixture
async def fleet(alerts_db: Database) -> Fleet:
    found = Fleet(alerts_db)
    for instance in (0, 1):  # the first look compares everything; from then on only what changed may
        await found.attend(instance)
    return found


async def test_a_silence_of_one_instance_counts_for_the_next_flag_of_another(fleet: Fleet) -> None:
    await fleet.silence({"rule": "slow_transfer"}, HOUR, instance=0)
    await fleet.take(flag("f1"), flag("f2", rule="long_wait"), instance=1)
    held, told = await fleet.incidents()
    assert (held.held, await fleet.told(1)) == ("silence 1", [])
    assert (told.held, await fleet.told(2)) == ("", ["opened"])


async def test_what_a_silence_held_is_told_when_it_ends_by_itself_whoever_made_it(fleet: Fleet) -> None:
    await fleet.silence({"rule": "slow_transfer"}, HOUR, instance=0)
    await fleet.take(flag("f1"), instance=0)
    await fleet.pass_(HOUR - timedelta(seconds=1), instance=1)  # the maker is gone
    assert await fleet.told(1) == []
    await fleet.pass_(timedelta(seconds=2), instance=1)
    assert await fleet.told(1) == ["opened"]
    assert await fleet.kinds(1) == ["opened", "held", "released", "told"]


async def test_cut_short_it_holds_no_more_in_any_instance(fleet: Fleet) -> None:
    await fleet.take(flag("f1"))
    one = await fleet.silence({"site": "s1"}, HOUR, instance=1)
    await fleet.attend(0)
    assert (await fleet.incidents())[0].held == "silence 1"
    await fleet.end(one.id, instance=0)
    await fleet.take(flag("f2", rule="long_wait"), instance=1)
    await fleet.attend(1)
    assert [one.held for one in await fleet.incidents()] == ["", ""]
    assert (await fleet.told(1), await fleet.told(2)) == (["opened"], ["opened"])
    with pytest.raises(WrongSilence):
        await fleet.end(one.id)


async def test_a_planned_one_holds_from_its_start(fleet: Fleet) -> None:
    await fleet.take(flag("f1"))
    await fleet.silence({"site": "s1"}, HOUR, starts_in=HOUR)
    await fleet.pass_(HOUR - timedelta(seconds=1))
    assert (await fleet.incidents())[0].held == ""
    await fleet.pass_(timedelta(seconds=1))
    assert (await fleet.incidents())[0].held == "silence 1"


async def test_a_lost_link_hides_what_follows_until_it_is_back(fleet: Fleet) -> None:
    await fleet.take(flag("f1"), flag("f2", rule="link_silent"), flag("f3", rule="long_wait"))
    first, link, third = await fleet.incidents()
    assert (first.held, link.held, third.held) == ("incident 2", "", "incident 2")
    assert (await fleet.told(1), await fleet.told(2), await fleet.told(3)) == ([], ["opened"], [])
    await fleet.take(clearing("f2"), instance=1)
    await fleet.attend(0)
    assert [one.held for one in await fleet.incidents()] == ["", "", ""]
    assert (await fleet.told(1), await fleet.told(3)) == (["opened"], ["opened"])


async def test_of_two_who_acknowledge_at_once_one_is_refused_by_name(fleet: Fleet) -> None:
    await fleet.take(flag("f1"))

    async def take_it(name: str, instance: int) -> str:
        try:
            await fleet.act(1, lambda one, now: steps.acknowledged(one, name, "", now), instance)
        except WrongTransition as exc:
            return str(exc)
        return ""

    found = await asyncio.gather(*(take_it(name, n % 2) for n, name in enumerate(("Li", "Wu", "Chen", "Zhao"))))
    owner = (await fleet.incidents())[0].owner
    assert sorted(found)[0] == ""
    assert [said for said in found if f"acknowledged by {owner}" in said] == [said for said in found if said]
    assert len([said for said in found if said]) == 3
    assert (await fleet.kinds(1)).count("acknowledged") == 1


async def test_acting_while_two_keepers_look_loses_nothing_and_tells_once(fleet: Fleet) -> None:
    for number in range(12):
        await fleet.take(flag(f"f{number}", subject_id=f"t{number}"))
    one = await fleet.silence({"site": "s1"}, HOUR)
    await fleet.attend()
    await fleet.take(flag("more", subject_id="more"))

    async def act(number: int) -> None:
        await fleet.act(number, lambda one, now: steps.acknowledged(one, "Li", "", now), number % 2)

    await asyncio.gather(
        fleet.end(one.id, 1), fleet.attend(0), fleet.attend(1), *(act(n) for n in range(1, 5)), fleet.attend(0)
    )
    await fleet.attend(1)
    incidents = await fleet.incidents()
    assert [one.held for one in incidents] == [""] * 13
    assert [one.state for one in incidents[:4]] == ["acknowledged"] * 4
    for found in incidents:
        kinds = await fleet.kinds(found.id)
        assert len(kinds) == found.entries
        assert (await fleet.told(found.id)).count("opened") <= 1
        assert found.state == "acknowledged" or await fleet.told(found.id) == ["opened"]


class Stalled:
    """A session whose next `execute` is answered when `go` is set."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def execute(self, statement: Any) -> Any:
        self.asked.set()
        await self.go.wait()
        return await self._session.execute(statement)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


async def test_a_look_that_began_before_a_silence_ended_does_not_bring_it_back(fleet: Fleet) -> None:
    one = await fleet.silence({"site": "s1"}, HOUR)
    holds, now = fleet.desk().holds, fleet.clock.now()
    async with fleet.database.reading() as session:
        stalled = Stalled(session)
        woken = msgspec.structs.replace(await wake(session), last=1)  # another instance wrote a line
        looking = asyncio.create_task(holds.refresh(stalled, woken, now))  # type: ignore[arg-type]
        await stalled.asked.wait()
        await fleet.end(one.id)
        await fleet.take(flag("f1"))
        stalled.go.set()
        await looking
    await fleet.take(flag("f2", subject_id="t2"))
    assert [found.held for found in await fleet.incidents()] == ["", ""]


async def test_pages_hear_of_a_silence_though_the_database_went_away_while_others_were_asked_for(fleet: Fleet) -> None:
    await fleet.silence({"site": "s1"}, HOUR, instance=1)
    holds = fleet.desk().holds
    async with fleet.database.reading() as session:
        woken = msgspec.structs.replace(await wake(session), last=1)  # another instance wrote a line
        stalled = Stalled(session)
        looking = asyncio.create_task(holds.refresh(stalled, woken, fleet.clock.now()))  # type: ignore[arg-type]
        await stalled.asked.wait()
        looking.cancel()
        await asyncio.wait([looking])
        assert await holds.refresh(session, woken, fleet.clock.now())
        assert not await holds.refresh(session, woken, fleet.clock.now())


async def test_two_instances_that_read_the_same_flags_at_once_tell_once(fleet: Fleet) -> None:
    flags = [flag(f"f{n}", subject_id=f"t{n}") for n in range(6)]
    other = Fleet(fleet.database, 1)
    await asyncio.gather(fleet.take(*flags), other.take(*flags))
    assert [await fleet.told(one.id) for one in await fleet.incidents()] == [["opened"]] * 6


async def test_more_than_one_look_takes_are_held_and_released(alerts_db: Database) -> None:
    fleet = Fleet(alerts_db, 1)
    await fleet.take(*(flag(f"f{n}", subject_id=f"t{n}") for n in range(510)))
    one = await fleet.silence({"rule": "slow_*"}, HOUR)
    await fleet.attend()
    async with alerts_db.reading() as session:
        found = await alertskit.held(session)
    assert found == {"silence 1": 510}
    await fleet.end(one.id)
    await fleet.attend()
    async with alerts_db.reading() as session:
        assert await alertskit.held(session) == {"": 510}


# ------------------------------------------------------------ the API


@pytest.fixture
async def alerts(alerts_db: Database) -> AsyncIterator[Alerts]:
    bus = MemoryBus()
    await bus.create(TOPICS)
    async with running(bus, alerts_db) as found:
        await publish(bus, flag("f1"), flag("f2", subject_id="t2"), flag("f3", rule="long_wait", severity="warning"))

        async def there() -> bool:
            return len(await found.incidents()) == 3

        await until(there)
        yield found


async def test_the_preview_says_what_the_silence_then_holds(alerts: Alerts) -> None:
    body = {"matchers": {"rule": "slow_transfer", "site": ["s1", "s2"]}}
    seen = await alerts.post("/silences/preview", body)
    assert ([one["id"] for one in seen["incidents"]], seen["held_now"]) == ([1, 2], 2)
    past = seen["last_days"]
    assert (past["days"], past["incidents"], past["whole"]) == (7, 2, True)
    assert past["by_rule"] == [{"rule": "slow_transfer", "incidents": 2, "notifications": past["notifications"]}]
    assert (await alerts.get("/silences"))["silences"] == []

    made = await alerts.post("/silences", {**body, "reason": "works", "by": "Li", "duration_s": 3600}, 201)
    assert (made["standing"], made["may_end"]) == ("in_force", True)

    async def held() -> Any:
        return (await alerts.get("/incidents?held=yes&order=urgency"))["incidents"]

    found = await until(held)
    assert [one["id"] for one in found] == [1, 2]
    assert found[0]["held"] == {"by": "silence", "number": made["id"], "until": made["ends"]}
    assert [one["id"] for one in (await alerts.get("/incidents?held=no"))["incidents"]] == [3]

    ended = await alerts.post(f"/silences/{made['id']}/end", {"by": "Wu"})
    assert (ended["standing"], ended["ended_by"], ended["may_end"]) == ("over", "Wu", False)
    assert (await alerts.post(f"/silences/{made['id']}/end", {"by": "Wu"}, 409))["detail"].startswith("it is over")
    detail = await alerts.get(f"/silences/{made['id']}")
    assert [(one["kind"], one["by"]) for one in detail["events"]] == [("made", "Li"), ("ended", "Wu")]

    async def released() -> bool:
        return not await held()

    await until(released)


async def test_lists_of_silences_by_what_they_are_now(alerts: Alerts) -> None:
    common = {"matchers": {"site": "s9"}, "reason": "works", "by": "Li"}
    await alerts.post("/silences", {**common, "duration_s": 60}, 201)
    window = {**common, "kind": "maintenance", "starts": "2099-01-01T00:00:00Z", "ends": "2099-01-01T02:00:00Z"}
    await alerts.post("/silences", window, 201)
    third = await alerts.post("/silences", {**common, "duration_s": 60}, 201)
    await alerts.post(f"/silences/{third['id']}/end", {"by": "Li"})
    for query, numbers in (
        ("", [3, 2, 1]),
        ("?standing=in_force", [1]),
        ("?standing=planned", [2]),
        ("?standing=over", [3]),
        ("?standing=planned&standing=in_force", [2, 1]),
        ("?standing=over&standing=in_force", [3, 1]),
    ):
        assert [one["id"] for one in (await alerts.get(f"/silences{query}"))["silences"]] == numbers, query
    page = await alerts.get("/silences?limit=2")
    assert [one["id"] for one in page["silences"]] == [3, 2]
    assert [one["id"] for one in (await alerts.get(f"/silences?cursor={page['next_cursor']}"))["silences"]] == [1]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"matchers": {"site": "*"}}, 422, "fit everything"),
        ({"matchers": {"Site": "s1"}}, 422, "not a label"),
        ({"matchers": {}}, 422, ""),
        ({"duration_s": None}, 422, "either"),
        ({"ends": "2099-01-01T00:00:00Z"}, 422, "either"),
        ({"duration_s": None, "ends": "2001-01-01T00:00:00Z"}, 422, "over already"),
        ({"duration_s": None, "ends": "2099-01-01T00:00:00Z"}, 422, "31 days"),
        ({"reason": " "}, 422, ""),
    ],
)
async def test_a_silence_that_cannot_be_says_why(
    alerts: Alerts, change: dict[str, Any], status: int, said: str
) -> None:
    body: dict[str, Any] = {"matchers": {"site": "s1"}, "reason": "works", "by": "Li", "duration_s": 60} | change
    found = await alerts.post("/silences", {key: value for key, value in body.items() if value is not None}, status)
    assert said in str(found)


USERS = """\
users:
  all: {name: Li Na, roles: [supervisor]}
  north: {name: 陈静, roles: [supervisor], sites: [s1]}
  south: {roles: [supervisor], sites: [s2]}
  viewer: {roles: [viewer]}
"""


async def test_nobody_silences_what_they_do_not_see(tmp_path: Path, alerts_db: Database) -> None:
    how: dict[str, Any] = settings(tmp_path)
    users_file(tmp_path, USERS)
    bus = MemoryBus()
    await bus.create(TOPICS)
    body = {"matchers": {"rule": "long_wait"}, "reason": "works", "by": "x", "duration_s": 600}
    async with running(bus, alerts_db, **how) as alerts:

        async def post(user: str, path: str, said: dict[str, Any]) -> httpx.Response:
            return await alerts.client.post(f"/api/v1{path}", json=said, headers=bearer(user))

        made = await post("north", "/silences", body)
        assert made.status_code == 201
        assert (made.json()["by"], made.json()["matchers"][1:]) == (
            "陈静",
            [{"label": "site", "values": ["s1"], "negated": False}],
        )
        beyond = await post("north", "/silences", {**body, "matchers": {"site": ["s1", "s2"]}})
        assert (beyond.status_code, "s2 is beyond what you see" in beyond.json()["detail"]) == (403, True)
        assert (await post("viewer", "/silences", body)).status_code == 403
        whole = (await post("all", "/silences", body)).json()
        assert [one["label"] for one in whole["matchers"]] == ["rule"]
        assert (await post("north", f"/silences/{whole['id']}/end", {"by": "x"})).status_code == 403
        number = made.json()["id"]
        assert (await alerts.client.get(f"/api/v1/silences/{number}", headers=bearer("south"))).status_code == 404
        assert (await post("south", f"/silences/{number}/end", {"by": "x"})).status_code == 404
        assert (await post("all", f"/silences/{number}/end", {"by": "x"})).status_code == 200


values = st.sampled_from(["a", "b", "c", "*", "a*", "!a", "!b"])
some = st.none() | st.frozensets(st.sampled_from(["a", "b"]), min_size=1)
scopes = st.builds(Scope, sites=some, teams=some, queues=some)
labels = st.fixed_dictionaries(
    {name: st.sampled_from(["a", "b", "c", ""]) for name in ("site", "queue", "team", "rule")}
)


@given(scopes, st.dictionaries(st.sampled_from(["site", "queue", "team", "rule"]), values, min_size=1), labels)
def test_within_a_scope_a_silence_holds_a_part_of_what_was_asked_and_nothing_beyond(
    scope: Scope, written: dict[str, str], found: dict[str, str]
) -> None:
    asked = matchers(written)
    try:
        made = narrowed(scope, asked)
    except BeyondScope:
        return
    assert may_end(scope, made)
    limits = {"site": scope.sites, "queue": scope.queues, "team": scope.teams}
    inside = all(allowed is None or found[name] in allowed for name, allowed in limits.items())
    assert fits(made, found) == (fits(asked, found) and inside)
    if fits(made, found):
        assert visible(scope, made)


async def test_pages_of_every_instance_hear_that_silences_changed(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    for number, service in enumerate(fleet.services):
        monkeypatch.setattr(service.hub, "silences_changed", lambda number=number: heard.append(number))
    await fleet.silence({"site": "s1"}, HOUR, instance=0)
    await fleet.take(flag("f1"), instance=0)  # reads the silences before the keeper does
    for instance in (0, 1, 0, 1):
        await fleet.attend(instance)
    assert heard == [0, 1]
