"""Whose incidents somebody sees: the same for lists, single ones and changes. The feed: test_alerts_feed.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.alerts.core.incident import Flag
from services.alerts.repositories import Incidents, Query
from services.alerts.visibility import sees
from shared.auth import Scope
from shared.db import Database
from shared.memorybus import MemoryBus
from shared.topics import FLOOR_FLAGS, SWITCH_DEAD_LETTER
from tests import alertskit
from tests.alertskit import Alerts, publish
from tests.authkit import bearer, settings, users_file
from tests.flagkit import flag
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)
USERS = """\
users:
  all: {name: Li Na, roles: [supervisor]}
  blue: {name: 陈静, roles: [supervisor], sites: [s1], teams: [Blue]}
  sales: {roles: [viewer], queues: [sales]}
  elsewhere: {roles: [operations], sites: [elsewhere]}
"""


def about(number: int, subject: str, **labels: str) -> Flag:
    return flag(f"f{number}", subject=subject, subject_id=str(number), rule=f"r{number}", labels=labels)


FLAGS = (
    about(1, "site", site="s1"),
    about(2, "queue", queue="sales"),
    about(3, "queue", queue="support"),
    about(4, "call", queue="sales", call="c"),
    about(5, "agent", agent="1", team="Blue", queue="sales"),
    about(6, "agent", agent="2", team="Red", queue="sales"),
    about(7, "transfer", agent="1", team="Blue", queue="support"),
    about(8, "transfer", agent="2", team="Red"),
)
SEEN = {"all": {1, 2, 3, 4, 5, 6, 7, 8}, "blue": {1, 2, 3, 4, 5, 7}, "sales": {1, 2, 4, 5, 6}, "elsewhere": set[int]()}


@asynccontextmanager
async def floor(folder: Path, database: Database) -> AsyncIterator[Alerts]:
    how: dict[str, Any] = settings(folder)
    users_file(folder, USERS)
    bus = MemoryBus()
    await bus.create([FLOOR_FLAGS, SWITCH_DEAD_LETTER])
    async with alertskit.running(bus, database, **how) as alerts:
        await publish(bus, *FLAGS)

        async def all_there() -> bool:
            return len(await listed(alerts, "all")) == len(FLAGS)

        await until(all_there)
        yield alerts


async def listed(alerts: Alerts, user: str) -> set[int]:
    answer = await alerts.client.get("/api/v1/incidents", headers=bearer(user))
    assert answer.status_code == 200, answer.text
    page = answer.json()
    found = {int(one["subject_id"]) for one in page["incidents"]}
    assert sum(page["counts"].values()) == len(found)
    return found


async def test_each_sees_and_changes_their_own_and_no_others(tmp_path: Path, alerts_db: Database) -> None:
    async with floor(tmp_path, alerts_db) as alerts:
        everything = (await alerts.client.get("/api/v1/incidents", headers=bearer("all"))).json()["incidents"]
        number_of = {int(one["subject_id"]): one["id"] for one in everything}
        for user, mine in SEEN.items():
            assert await listed(alerts, user) == mine, user
            for subject, number in number_of.items():
                for path in (f"/api/v1/incidents/{number}", f"/api/v1/incidents/{number}/report"):
                    status = (await alerts.client.get(path, headers=bearer(user))).status_code
                    assert status == (200 if subject in mine else 404), f"{user} {subject} {path}"
        for user, subject, status in (("blue", 6, 404), ("blue", 5, 201), ("elsewhere", 1, 404), ("sales", 2, 403)):
            path = f"/api/v1/incidents/{number_of[subject]}/notes"
            noted = await alerts.client.post(path, headers=bearer(user), json={"by": "somebody else", "note": "seen"})
            assert noted.status_code == status, noted.text
        timeline = (await alerts.client.get(f"/api/v1/incidents/{number_of[5]}", headers=bearer("blue"))).json()[
            "timeline"
        ]
        assert timeline[-1]["by"] == "陈静"  # whoever signed in acts in their own name

        body = {"matchers": {"queue": "sales"}, "reason": "13912345678 rang", "by": "x", "duration_s": 60}
        made = await alerts.client.post("/api/v1/silences", headers=bearer("all"), json=body)
        assert made.status_code == 201, made.text
        for user, said in (("blue", "13912345678 rang"), ("sales", "•••••••5678 rang")):
            page = (await alerts.client.get("/api/v1/silences", headers=bearer(user))).json()
            one = (await alerts.client.get(f"/api/v1/silences/{made.json()['id']}", headers=bearer(user))).json()
            assert [page["silences"][0]["reason"], one["reason"]] == [said] * 2, user


names = st.sampled_from(["", "a", "b", "c"])
some = st.none() | st.frozensets(names, min_size=1)
scopes = st.builds(
    Scope, sites=st.none() | st.frozensets(st.sampled_from(["s1", "s2"]), min_size=1), teams=some, queues=some
)
labels = st.dictionaries(st.sampled_from(["queue", "team", "agent"]), names)
subjects = st.sampled_from(["agent", "call", "transfer", "queue", "site"])


async def test_a_query_finds_exactly_those_that_are_seen_one_by_one(alerts_db: Database) -> None:
    bus = MemoryBus()
    await bus.create([FLOOR_FLAGS, SWITCH_DEAD_LETTER])
    drawn = [
        flag(f"f{number}", site=site, subject=subject, subject_id=str(number), rule=f"r{number}", labels=found)
        for number, (site, subject, found) in enumerate(
            (site, subject, {"queue": queue, "team": team} if queue != "c" else {})
            for site in ("s1", "s2")
            for subject in ("agent", "call", "transfer", "queue", "site")
            for queue in ("", "a", "b", "c")
            for team in ("", "a", "b")
        )
    ]
    async with alertskit.running(bus, alerts_db) as alerts:
        for one in drawn:
            await bus.publish(FLOOR_FLAGS, alertskit.raised_bytes(one), key=one.site)
        await bus.flush()
        await until(lambda: has_all(alerts_db, len(drawn)))
        assert alerts
        scopes_tried = [
            Scope(sites, teams, queues)
            for sites in (None, frozenset({"s1"}), frozenset({"none"}))
            for teams in (None, frozenset({"a"}), frozenset({"", "b"}))
            for queues in (None, frozenset({"a"}), frozenset({"", "b"}))
        ]
        async with alerts_db.reading() as session:
            everything = await Incidents(session).find(Query(limit=500))
            for scope in scopes_tried:
                found = await Incidents(session).find(Query(scope=scope, limit=500))
                assert [one.id for one in found] == [one.id for one in everything if sees(scope, one)], scope


async def has_all(database: Database, count: int) -> bool:
    async with database.reading() as session:
        return len(await Incidents(session).find(Query(limit=500))) == count


@given(scopes, subjects, labels)
def test_a_wider_scope_shows_no_less(scope: Scope, subject: str, found: dict[str, str]) -> None:
    one = flag(site="s1", subject=subject, labels=found)
    if sees(scope, one):
        for wider in (
            Scope(None, scope.teams, scope.queues),
            Scope(scope.sites, None, scope.queues),
            Scope(scope.sites, scope.teams, None),
        ):
            assert sees(wider, one)
    assert sees(Scope(), one)
