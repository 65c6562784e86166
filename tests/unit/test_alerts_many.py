"""An incident of very many flags: its answers stay small, say how much there is, and leave out nothing that counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import event

from services.alerts.api.detailviews import MOST_FLAGS, MOST_LINES
from shared.db import Database
from shared.memorybus import MemoryBus
from tests.alertskit import TOPICS, publish, running
from tests.authkit import bearer, settings, users_file
from tests.flagkit import flag
from tests.queryplans import read_whole
from tests.sinks import HttpSink, listening
from tests.waiting import until

pytest_plugins = ("tests.alertsdb",)
MANY = 700
ONE_FOR_A_RULE = 'receivers: {ops: {}}\nroutes: {receiver: ops, wait: 1d}\ngroups: [{match: {rule: "*"}, by: [rule]}]\n'
USERS = """\
users:
  all: {name: Li Na, roles: [supervisor]}
  sales: {roles: [supervisor], queues: [sales]}
"""


async def test_an_incident_of_very_many_flags_is_told_of_in_part_and_counted_whole(
    tmp_path: Path, alerts_db: Database
) -> None:
    how: dict[str, Any] = settings(tmp_path)
    users_file(tmp_path, USERS)
    file = tmp_path / "alerts.yaml"
    file.write_text(ONE_FOR_A_RULE)
    bus = MemoryBus()
    await bus.create(TOPICS)
    async with running(bus, alerts_db, **how | {"file": file}) as alerts:

        async def get(path: str, user: str = "all") -> Any:
            answer = await alerts.client.get(f"/api/v1{path}", headers=bearer(user))
            assert answer.status_code == 200, answer.text
            return answer.json() if "html" not in answer.headers["content-type"] else answer.text

        async def of(number: int) -> bool:
            found = (await get("/incidents"))["incidents"]
            return bool(found) and found[0]["flags"] == number

        calls = [flag(f"f{n:04}", str(n), subject="call", labels={"call": str(n)}, evidence={}) for n in range(MANY)]
        await publish(bus, flag("a-site", "", subject="site", labels={}, evidence={}))
        await until(lambda: of(1))
        note = {"by": "Li Na", "note": "seen by somebody"}
        noted = await alerts.client.post("/api/v1/incidents/1/notes", headers=bearer("all"), json=note)
        assert noted.status_code == 201
        await publish(bus, *calls, flag("z-sales", "q", subject="queue", labels={"queue": "sales"}, evidence={}))
        await until(lambda: of(MANY + 2))

        detail = await get("/incidents/1")
        assert detail["totals"] == {"timeline": MANY + 3, "flags": MANY + 2, "notifications": 0}
        assert len(detail["flags"]) == MOST_FLAGS + MOST_FLAGS // 4
        assert (detail["flags"][0]["flag_id"], detail["flags"][-1]["flag_id"]) == ("a-site", "z-sales")
        seen = [one["seq"] for one in detail["timeline"]]
        assert seen == sorted(set(seen))
        assert len(seen) == MOST_LINES + MOST_LINES // 4 + 2
        assert [one["kind"] for one in detail["timeline"]][:2] == ["opened", "note"], "what people do is not left out"

        report = await get("/incidents/1/report")
        assert f"<dd>{MANY}</dd>" in report.replace(" ", "").replace("\n", ""), "all calls count"

        theirs = await get("/incidents/1", "sales")
        assert [one["flag_id"] for one in theirs["flags"]] == ["a-site", "z-sales"], "flags of others are not shown"
        assert f"<dd>{MANY}</dd>" not in (await get("/incidents/1/report", "sales")).replace(" ", "").replace("\n", "")


async def test_nothing_on_the_way_to_a_receiver_reads_all_that_was_ever_kept(alerts_db: Database) -> None:
    """By the plans of the statements: what reads a whole table takes longer with each notification that was ever sent."""
    bus = MemoryBus()
    await bus.create(TOPICS)
    asked: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        asked[statement] = values[0] if many else values

    event.listen(alerts_db.engine.sync_engine, "before_cursor_execute", note)
    sink = HttpSink()
    async with listening(sink), running(bus, alerts_db, notify_urls=(sink.url,)) as alerts:
        await publish(bus, flag())

        async def sent() -> bool:
            return alerts.metric("alerts_notifications_total", outcome="sent") == 1

        await until(sent)
    event.remove(alerts_db.engine.sync_engine, "before_cursor_execute", note)
    whole: list[str] = []
    async with alerts_db.engine.connect() as connection:
        for statement, values in asked.items():
            if statement.startswith(("SELECT", "UPDATE", "DELETE")):
                whole += [f"{step}: {statement}" for step in await read_whole(connection, statement, values)]
    assert len(asked) > 20
    assert whole == []
