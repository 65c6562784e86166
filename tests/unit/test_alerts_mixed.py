"""An incident of flags that are not for the same people: nobody reads of whom they may not see, wherever they look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.alerts.core import lifecycle as steps
from services.alerts.core.facets import MOST
from services.alerts.core.incident import Incident
from services.alerts.visibility import sees, shown_to
from shared.db import Database
from shared.identity import Principal, Scope
from shared.memorybus import MemoryBus
from tests import alertskit
from tests.alertpages import Page
from tests.alertskit import TOPICS, Alerts, publish
from tests.authkit import bearer, settings, users_file
from tests.flagkit import HANDLING, T0, flag, opened
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)
USERS = """\
users:
  all: {name: Li Na, roles: [admin]}
  blue: {name: 陈静, roles: [supervisor], teams: [Blue]}
"""
FILE = "receivers: {ops: {}}\nroutes: {receiver: ops}\ngroups: [{match: {rule: long_wait}, by: [queue]}]\n"
SECRET = "Wang"


def about(number: int, subject: str, name: str, **labels: str) -> Any:
    return flag(
        f"f-{name}-{number}",
        subject=subject,
        subject_id=f"{subject} of {name}",
        rule="long_wait",
        summary_en=f"{name} has somebody waiting",
        summary_zh=f"{name} 处有人等待",
        labels={"queue": "sales", **labels},
        evidence={"agent": name},
    )


FLAGS = (
    about(1, "queue", "Sales"),
    about(2, "agent", "Chen", team="Blue", agent="1", agent_name="Chen"),
    about(3, "agent", SECRET, team="Red", agent="2", agent_name=SECRET),
)


@asynccontextmanager
async def floor(folder: Path, database: Database) -> AsyncIterator[Alerts]:
    how: dict[str, Any] = settings(folder)
    users_file(folder, USERS)
    (folder / "alerts.yaml").write_text(FILE)
    bus = MemoryBus()
    await bus.create(TOPICS)
    async with alertskit.running(bus, database, file=folder / "alerts.yaml", **how) as alerts:
        await publish(bus, *FLAGS)

        async def all_there() -> bool:
            found = (await alerts.client.get("/api/v1/incidents", headers=bearer("all"))).json()["incidents"]
            return [one["flags"] for one in found] == [len(FLAGS)]

        await until(all_there)
        yield alerts


def asked(paths: dict[str, Any]) -> list[str]:
    """Every path that is read, with each format and language that it has."""
    found = []
    for path, methods in paths.items():
        if "get" in methods and path.startswith("/api/"):
            filled = path.replace("{number}", "1").replace("{kind}", "daily").replace("{site}", "s1")
            names = {one["name"] for one in methods["get"].get("parameters", ())}
            variants = ["json"] if "format" not in names else ["html", "md", "json"]
            found += [f"{filled}?lang={lang}&format={form}" for lang in ("en", "zh") for form in variants]
    return found


async def test_nobody_reads_of_whom_they_may_not_see_wherever_they_look(tmp_path: Path, alerts_db: Database) -> None:
    async with floor(tmp_path, alerts_db) as alerts:
        client, said = alerts.client, dict[str, dict[str, str]]()
        blue = Page(
            alerts.service.hub,
            list,
            Principal("blue", "B", frozenset({"supervisor"}), Scope(teams=frozenset({"Blue"}))),
        )
        everybody = Page(alerts.service.hub, list)
        paths = asked((await client.get("/api/openapi.json")).json()["paths"])
        assert len(paths) > 20
        for user in ("all", "blue"):
            said[user] = {path: (await client.get(path, headers=bearer(user))).text for path in paths}
            for path, body in (
                ("incidents/1/notes", {"by": "x", "note": "seen"}),
                ("incidents/1/acknowledge", {"by": "x"}),
                ("incidents/1/acknowledge", {"by": "x"}),  # refused, with the incident
                ("incidents/acknowledge", {"by": "x", "numbers": [1]}),
                ("silences/preview", {"matchers": {"queue": "sales"}}),
            ):
                answer = await client.post(f"/api/v1/{path}", headers=bearer(user), json=body)
                said[user][path] = answer.text
            alerts.service.hub.flush()
        said["blue"]["feed"], said["all"]["feed"] = str(blue.outlet.frames), str(everybody.outlet.frames)
        assert {path for path, text in said["blue"].items() if SECRET in text} == set()
        told = {path.partition("?")[0] for path, text in said["all"].items() if SECRET in text}
        assert {"/api/v1/incidents", "/api/v1/incidents/1", "/api/v1/incidents/1/report", "feed"} <= told
        for path in ("/api/v1/incidents?lang=en&format=json", "/api/v1/incidents/1/report?lang=en&format=md", "feed"):
            assert "Chen has somebody waiting" in said["blue"][path], path

        for user, number in (("all", 1), ("blue", 0)):  # nor do they find it by what they may not see
            page = (await client.get("/api/v1/incidents", headers=bearer(user), params={"q": SECRET})).json()
            assert len(page["incidents"]) == number, user
        page = (await client.get("/api/v1/incidents", headers=bearer("blue"), params={"q": "LONG_wait"})).json()
        assert len(page["incidents"]) == 1


NAMES = st.sampled_from(["", "a", "b"])
JOINING = st.lists(
    st.tuples(st.sampled_from(["site", "queue", "call", "agent", "transfer"]), NAMES, NAMES), min_size=1, max_size=8
)
SOME = st.none() | st.frozensets(NAMES, min_size=1)


def of(flags: list[tuple[str, str, str]]) -> Incident:
    """One incident of all of these, each about somebody else."""
    found: Incident | None = None
    for number, (subject, queue, team) in enumerate(flags):
        one = flag(
            f"f{number}",
            subject=subject,
            subject_id=f"<{number}>",
            summary_en=f"<{number}>",
            summary_zh=f"<{number}>",
            labels={"queue": queue, "team": team, "agent": f"<{number}>"},
        )
        plan = HANDLING.plan(one, "UTC")
        found = opened(one, T0).incident if found is None else steps.joined(found, one, plan, T0).incident
    assert found is not None
    return found


@given(JOINING, SOME, SOME)
def test_the_words_are_of_the_newest_flag_that_they_see(
    flags: list[tuple[str, str, str]], teams: frozenset[str] | None, queues: frozenset[str] | None
) -> None:
    incident, scope = of(flags), Scope(None, teams, queues)
    singles = [of([one]) for one in flags]
    seen = [f"<{number}>" for number, one in enumerate(singles) if sees(scope, one)]
    words = shown_to(scope, incident)
    if words is None:
        assert len(seen) == len(flags) or not incident.facets
    else:
        assert words.summary_en == words.summary_zh or not seen
        assert words.summary_en == (seen[-1] if seen else "Slow transfer")
        assert not set(f"{words}".split("'")) & ({f"<{n}>" for n in range(len(flags))} - set(seen))


def test_of_more_kinds_than_are_kept_nobody_limited_is_thought_to_see_all() -> None:
    teams = [f"t{number}" for number in range(MOST + 5)]
    incident = of([("agent", "", team) for team in teams])
    assert len(incident.facets) == MOST
    words = shown_to(Scope(teams=frozenset(teams)), incident)
    assert words is not None
    assert words.summary_en == f"<{MOST + 4}>"
    assert shown_to(Scope(), incident) is None
