"""Who may listen, who may know of it, and what is kept: policy, revocation, scope, audit, agents' own history, the API."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from services.monitor.listen.book import Book
from services.monitor.listen.model import Listen
from services.monitor.listen.policies import LivePolicies
from services.monitor.listen.trail import Trail
from services.monitor.listen.world import LiveWorld
from shared.auth import Authenticator
from shared.clock import FakeClock
from shared.db import Database
from shared.events import (
    CallCleared,
    LinkDown,
)
from shared.identity import Principal, Scope
from shared.settings import MonitorSettings, load
from shared.siteconfig import Listening as Policy
from shared.siteconfig import ListenRule
from tests import authkit
from tests.contract.test_openapi import fits
from tests.floorkit import SITE, START
from tests.listenkit import INSPECTOR, a_floor, listening, sites
from tests.monitordb import empty_monitor_db, monitor_db

__all__ = ["empty_monitor_db", "monitor_db"]

WANG = Principal("wang", "Wang Fang", frozenset({"supervisor"}))


async def test_who_may_no_longer_hears_no_longer(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        floor.auth.gone.add("li")
        await floor.pass_time(2)
        assert (await floor.kinds(asked["listen_id"]))[-1] == "ended"
        assert floor.order(asked["listen_id"]).reason == "signed_out"
        floor.auth.gone.clear()
        asked = await floor.ask(call_id="c")
        floor.auth.now["li"] = Principal("li", "Li", frozenset({"viewer"}))
        await floor.pass_time(2)
        assert floor.order(asked["listen_id"]).reason == "not_allowed"
        floor.auth.now.clear()
        asked = await floor.ask(call_id="c")
        floor.auth.now["li"] = Principal("li", "Li", frozenset({"inspector"}), Scope(teams=frozenset({"Red"})))
        await floor.pass_time(2)
        assert floor.order(asked["listen_id"]).reason == "not_allowed"
        assert (await floor.detail(asked["listen_id"], "ended"))["detail"] == "scope"


async def test_it_ends_at_the_policys_longest_and_when_its_hours_end(monitor_db: Database) -> None:
    async with listening(monitor_db, config=sites(Policy(max_s=20))) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        await floor.pass_time(21, step=7)
        assert (await floor.get(asked["listen_id"]))["reason"] == "max_length"
    hours = Policy(rules=(ListenRule(hours="08:00-09:02"),))
    async with listening(monitor_db, config=sites(hours)) as floor:
        asked = await floor.ask(call_id="c")
        assert asked["until"] == "2026-11-22T09:02:00Z"
        await floor.live(asked["listen_id"])
        await floor.pass_time(63, step=7)
        assert (await floor.get(asked["listen_id"]))["reason"] == "hours"
        refused = await floor.ask(403, call_id="c")
        assert (refused["policy"], "时段" in refused["reason_zh"]) == ("hours", True)


async def test_what_the_policy_refuses_is_written_down_too(monitor_db: Database) -> None:
    policy = Policy(rules=(ListenRule(teams=("Red",)),))
    async with listening(monitor_db, config=sites(policy)) as floor:
        assert (await floor.ask(403, call_id="c"))["policy"] == "not_them"
        floor.auth.who = Principal("eve", "Eve", frozenset({"inspector"}), Scope(teams=frozenset({"Red"})))
        await floor.ask(404, call_id="c")
        await floor.ask(404, call_id="nothing")
        found = [(one.kind, one.by, one.call_id, one.detail) for one in await floor.audit()]
        assert found == [
            ("refused", "li", "c", '{"code":"not_them","follow":"call"}'),
            ("refused", "eve", "c", '{"code":"not_visible","follow":"call"}'),
        ]
        assert floor.envelopes() == []


async def test_who_asks_without_the_permission_is_written_down_as_often_as_one_may_ask(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        floor.auth.users = True
        floor.auth.who = Principal("hall", "Hall", frozenset({"viewer"}))
        refused = await floor.ask(403, call_id="c", comment="just so")
        assert (refused["permission"], refused["instance"]) == ("calls.listen", "/api/v1/listens")
        assert refused["detail"] == "hall (viewer) may not do this: it needs calls.listen"
        await floor.ask(403, agent_id="2", mode="barge")
        await floor.ask(403, call_id="nothing")
        await floor.call("POST", "/listens", 403, content=b"?")
        found = [
            (one.kind, one.by, one.agent_id, one.mode, json.loads(one.detail)["code"]) for one in await floor.audit()
        ]
        assert found == [
            ("refused", "hall", "1", "listen", "permission"),
            ("refused", "hall", "2", "barge", "permission"),
        ]
        for _ in range(117):
            await floor.ask(403, call_id="nothing")
        later = await floor.ask(429, call_id="c")
        assert (later["title"], later["instance"]) == ("Too many changes", "/api/v1/listens")


async def test_agents_see_who_listened_to_them_as_far_as_the_policy_tells(monitor_db: Database) -> None:
    path = f"/agents/{SITE}/1/listens"
    for tell, while_it_goes_on, afterwards in (("never", 0, 0), ("during", 1, 1), ("after", 0, 1)):
        bench = a_floor()
        async with listening(monitor_db, bench, sites(Policy(tell_agent=tell))) as floor:  # type: ignore[arg-type]
            before = len((await floor.call("GET", path))["listens"])
            asked = await floor.ask(call_id="c")
            fork = await floor.live(asked["listen_id"])
            await floor.heard(asked["listen_id"], fork.fork_id, 3.0)
            floor.auth.who = Principal("anna", "Anna", frozenset(), agent=f"{SITE}/1")
            own = [one["listen_id"] for one in (await floor.call("GET", path))["listens"]]
            assert (asked["listen_id"] in own) == bool(while_it_goes_on)
            await floor.call("GET", f"/agents/{SITE}/2/listens", 404)
            await floor.call("GET", "/listens", 403)
            await floor.happens(60, CallCleared(call_id="c"))
            own = [one["listen_id"] for one in (await floor.call("GET", path))["listens"]]
            assert (asked["listen_id"] in own) == bool(afterwards)
            floor.auth.who = Principal("sun", "Sun", frozenset({"auditor"}))
            found = (await floor.call("GET", path))["listens"]
            assert (len(found), found[0]["seconds"], found[0]["user_name"]) == (before + 1, 3.0, "Li Na")
            assert ("told" in await floor.kinds(asked["listen_id"])) == bool(afterwards)


async def test_an_agents_history_tells_every_mode_and_others_what_they_lack(monitor_db: Database) -> None:
    path = f"/agents/{SITE}/1/listens"
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.live(asked["listen_id"])
        await floor.call("PATCH", f"/listens/{asked['listen_id']}", json={"mode": "barge"})
        await floor.call("DELETE", f"/listens/{asked['listen_id']}")
        assert [one["modes"] for one in (await floor.call("GET", path))["listens"]] == [["listen", "barge"]]
        floor.auth.who = Principal("hall", "Hall", frozenset({"viewer"}))
        assert (await floor.call("GET", path, 403))["permission"] == "calls.listen"
        floor.auth.who = Principal("red", "Red", frozenset({"viewer"}), Scope(teams=frozenset({"Red"})))
        await floor.call("GET", path, 404)


async def test_a_sites_policy_is_told_to_those_who_see_the_site(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        assert (await floor.call("GET", f"/listen-policy/{SITE}"))["allowed"]
        await floor.call("GET", "/listen-policy/nowhere", 404)
        floor.auth.who = Principal("far", "Far", frozenset({"inspector"}), Scope(sites=frozenset({"elsewhere"})))
        await floor.call("GET", f"/listen-policy/{SITE}", 404)


async def test_a_listen_ends_with_its_users_token_and_says_so(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        ends = floor.clock.now() + timedelta(seconds=20)
        floor.auth.who = Principal("li", "Li Na", frozenset({"inspector"}), expires=ends)
        asked = await floor.ask(call_id="c")
        assert asked["until"] == ends.isoformat().replace("+00:00", "Z")
        await floor.live(asked["listen_id"])
        await floor.pass_time(21, step=7)
        assert (await floor.get(asked["listen_id"]))["reason"] == "signed_out"
        said = await floor.call("PATCH", f"/listens/{asked['listen_id']}", 409, json={"mode": "listen"})
        assert "sign-in ended" in said["detail"]


async def test_auditors_find_all_rows_of_a_persons_listens(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        fork = await floor.live(asked["listen_id"])
        await floor.heard(asked["listen_id"], fork.fork_id, 3.0)
        floor.auth.who = WANG
        await floor.call("DELETE", f"/listens/{asked['listen_id']}")
        await floor.pass_time(6)
        floor.auth.who = Principal("sun", "Sun", frozenset({"auditor"}))
        of_li = (await floor.call("GET", "/audit/listens", params={"user": "li"}))["rows"]
        assert {"asked", "started", "ended", "heard"} <= {one["kind"] for one in of_li}
        of_wang = (await floor.call("GET", "/audit/listens", params={"user": "wang"}))["rows"]
        assert [one["kind"] for one in of_wang] == ["ended"]


async def test_auditors_read_the_rows_of_their_sites_page_by_page(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        await floor.call("DELETE", f"/listens/{asked['listen_id']}")
        await floor.call("GET", "/audit/listens", 403)
        floor.auth.who = Principal("sun", "Sun", frozenset({"auditor"}))
        rows, cursor = [], ""
        while True:
            page = await floor.call("GET", "/audit/listens", params={"limit": 2, "cursor": cursor})
            rows += page["rows"]
            if (cursor := page["next"]) is None:
                break
        assert [one["kind"] for one in rows] == ["ended", "fork", "asked"]
        assert rows[0]["prev_hash"] == rows[1]["hash"]
        lines = await floor.clients[0].get("/api/v1/audit/listens/export")
        assert [json.loads(line)["id"] for line in lines.text.splitlines()] == [1, 2, 3]
        table = await floor.clients[0].get("/api/v1/audit/listens/export?format=csv")
        assert len(table.text.splitlines()) == 4
        floor.auth.who = Principal("far", "Far", frozenset({"auditor"}), Scope(sites=frozenset({"elsewhere"})))
        assert (await floor.call("GET", "/audit/listens"))["rows"] == []


async def test_the_database_itself_keeps_the_audit(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        await floor.ask(call_id="c")
        changes = ["UPDATE listen_audit SET \"by\" = 'nobody'", "DELETE FROM listen_audit"]
        async with monitor_db.unit_of_work() as session:
            if session.get_bind().dialect.name == "sqlite":  # it takes a row away for another, and calls that no DELETE
                changes.append("INSERT OR REPLACE INTO listen_audit SELECT * FROM listen_audit WHERE id = 1")
        for change in changes:
            with pytest.raises(DBAPIError, match="append-only"):
                async with monitor_db.unit_of_work() as session:
                    await session.execute(text(change))


async def test_an_audit_that_lacks_a_listen_is_found_without_any_note(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        for _ in range(2):
            asked = await floor.ask(call_id="c")
        await floor.call("DELETE", f"/listens/{asked['listen_id']}")

    async def lacking() -> list[str]:
        async with monitor_db.reading() as session:
            return [listen_id async for listen_id, _, _ in Trail(session).without_rows()]

    assert await lacking() == []
    async with monitor_db.unit_of_work() as session:
        table = " ON listen_audit" if session.get_bind().dialect.name == "postgresql" else ""
        for name in await triggers(session):
            await session.execute(text(f"DROP TRIGGER {name}{table}"))
        await session.execute(text("DELETE FROM listen_audit WHERE kind = 'ended'"))
    assert await lacking() == [asked["listen_id"]]
    async with monitor_db.unit_of_work() as session:
        await session.execute(text("DELETE FROM listen_audit"))
    assert len(await lacking()) == 2


async def triggers(session: AsyncSession) -> list[str]:
    """Names of those that guard the audit."""
    query = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'listen_audit'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = 'listen_audit'::regclass AND NOT tgisinternal",
    }
    return list(await session.scalars(text(query[session.get_bind().dialect.name])))


async def test_without_a_database_or_a_heard_switch_nobody_listens(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        await floor.happens(60, LinkDown(connector="test", reason="gone"))
        assert (await floor.ask(503, call_id="c"))["title"] == "The switch is not heard"
        floor.listening.store.migrated.clear()
        await floor.call("GET", "/listens", 503)


async def test_what_the_api_answers_has_the_documented_form(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        asked = await floor.ask(call_id="c")
        one = f"/listens/{asked['listen_id']}"
        await floor.live(asked["listen_id"])
        document = await floor.clients[0].get("/api/openapi.json")
        paths, schemas = document.json()["paths"], document.json()["components"]["schemas"]
        floor.auth.who = Principal("li", "Li", frozenset({"admin"}))
        wish = {"site": SITE, "agent_id": "1", "purpose": "coaching"}
        for method, path, url, body in (
            ("post", "/listens", "/listens", wish),
            ("get", "/listens", f"/listens?mine=true&open=true&site={SITE}&agent=1&from=2026-01-01T00:00:00Z", None),
            ("get", "/listens/{listen_id}", one, None),
            ("get", "/listens/{listen_id}/pass", f"{one}/pass", None),
            ("patch", "/listens/{listen_id}", one, {"mode": "barge"}),
            ("delete", "/listens/{listen_id}", one, None),
            ("get", "/listen-policy/{site}", f"/listen-policy/{SITE}", None),
            ("get", "/agents/{site}/{agent_id}/listens", f"/agents/{SITE}/1/listens", None),
            ("get", "/audit/listens", "/audit/listens", None),
        ):
            response = await floor.clients[0].request(method, f"/api/v1{url}", **({"json": body} if body else {}))
            assert response.is_success, response.text
            documented = paths[f"/api/v1{path}"][method]["responses"][str(response.status_code)]
            assert fits(response.json(), documented["content"]["application/json"]["schema"], schemas), response.text
        assert (await floor.call("GET", f"{one}/pass", 409))["reason"] == "by_listener"
        for wrong in ({}, {"call_id": "c", "agent_id": "1"}, {"call_id": "c", "purpose": "fun"}):
            await floor.ask(422, **wrong)
        await floor.call("GET", "/listens", 400, params={"cursor": "x"})


async def test_lists_come_by_pages_and_hold_only_what_one_may_see(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        for _ in range(3):
            asked = await floor.ask(call_id="c")
            await floor.call("DELETE", f"/listens/{asked['listen_id']}")
        first = await floor.call("GET", "/listens", params={"limit": 2})
        second = await floor.call("GET", "/listens", params={"limit": 2, "cursor": first["next"]})
        assert (len(first["listens"]), len(second["listens"]), second["next"]) == (2, 1, None)
        assert len({one["listen_id"] for one in first["listens"] + second["listens"]}) == 3
        floor.auth.who = Principal("red", "Red", frozenset({"supervisor"}), Scope(teams=frozenset({"Red"})))
        assert (await floor.call("GET", "/listens"))["listens"] == []
        await floor.call("GET", f"/listens/{asked['listen_id']}", 404)
        await floor.call("DELETE", f"/listens/{asked['listen_id']}", 404)
        floor.auth.who = Principal("blue", "Blue", frozenset({"inspector"}), Scope(teams=frozenset({"Blue"})))
        assert len((await floor.call("GET", "/listens"))["listens"]) == 3
        await floor.call("DELETE", f"/listens/{asked['listen_id']}", 404)
        await floor.call("PATCH", f"/listens/{asked['listen_id']}", 404, json={"mode": "whisper"})
        await floor.call("GET", f"/listens/{asked['listen_id']}/pass", 404)


async def test_one_listens_to_a_thing_once_and_a_supervisor_may_end_it(monitor_db: Database) -> None:
    async with listening(monitor_db) as floor:
        floor.auth.users = True
        asked = await floor.ask(call_id="c")
        assert (await floor.ask(409, call_id="c"))["listen_id"] == asked["listen_id"]
        await floor.ask(agent_id="1")
        floor.auth.who = WANG
        assert (await floor.call("DELETE", f"/listens/{asked['listen_id']}"))["reason"] == "by_other"
        assert (await floor.audit(asked["listen_id"]))[-1].by == "wang"


def test_whoever_is_taken_out_of_the_users_file_is_known_no_more(tmp_path: Path) -> None:
    clock = FakeClock(START + timedelta(minutes=1))
    config = load(MonitorSettings, **authkit.settings(tmp_path))
    auth = Authenticator.of(config, clock)
    bench = a_floor()
    policies = LivePolicies(sites(), CollectorRegistry())
    world = LiveWorld(bench.engine, auth, policies, clock, "", lambda: True)
    listen = Listen(
        listen_id="x",
        site=SITE,
        user="inspector",
        user_name="",
        follow="call",
        call_id="c",
        agent_id="1",
        purpose="live_qa",
        started_at=clock.now(),
        until=clock.now() + timedelta(hours=1),
        leased_until=clock.now(),
        token_issued=clock.now(),
        token_expires=clock.now() + timedelta(minutes=30),
    )
    assert not isinstance(world.may(listen, "c", "1", "listen"), str)
    users = authkit.USERS.replace("inspector: {roles: [inspector]}", "inspector: {roles: [viewer]}")
    authkit.users_file(tmp_path, users)
    clock.pause(2)
    assert world.may(listen, "c", "1", "listen") == "not_allowed:permission"
    authkit.users_file(tmp_path, users.replace("  inspector: {roles: [viewer]}\n", ""))
    clock.pause(2)
    assert world.may(listen, "c", "1", "listen") == "signed_out"
    authkit.users_file(tmp_path)
    clock.pause(2)
    assert not isinstance(world.may(listen, "c", "1", "listen"), str)
    clock.pause(1800)
    assert world.may(listen, "c", "1", "listen") == "signed_out", "the token has ended"


async def test_what_a_provider_said_of_who_listens_is_kept_for_every_replica(
    monitor_db: Database, tmp_path: Path
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("grants:\n  - {claim: groups, value: quality, roles: [inspector]}\n", encoding="utf-8")
    provider = {"oidc_issuer": "https://login.example", "oidc_client_id": "floor", "policy_file": path}
    async with listening(monitor_db) as floor:
        now, said = floor.clock.now(), frozenset({("groups", "quality")})
        floor.auth.who = msgspec.structs.replace(INSPECTOR, issued=now, expires=now + timedelta(hours=1), facts=said)
        asked = await floor.ask(call_id="c")
        async with monitor_db.reading() as session:
            listen = await Book(session).listen(asked["listen_id"])
        assert listen is not None
        assert listen.token_facts == {"groups": ["quality"]}
        config = load(MonitorSettings, run_dir=tmp_path, auth_secret=authkit.SECRET, **provider)
        auth = Authenticator.of(config, floor.clock)  # of a replica to which this person never came
        policies = LivePolicies(sites(), CollectorRegistry())
        world = LiveWorld(floor.bench.engine, auth, policies, floor.clock, "", lambda: True)
        assert not isinstance(world.may(listen, "c", "1", "listen"), str)
        path.write_text("grants:\n  - {claim: groups, value: others, roles: [inspector]}\n", encoding="utf-8")
        floor.clock.pause(2)
        assert world.may(listen, "c", "1", "listen") == "signed_out"
