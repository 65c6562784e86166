"""Finished transfers page by page: whatever is filtered and sorted, each that fits and may be seen comes once, in order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.desk.store import MIGRATIONS
from services.monitor.desk.tables import CaseRow, TransferRow
from shared.db import Database
from shared.events import AgentLoggedOn
from tests.databases import BOTH, examples, own_database
from tests.deskkit import DeskClient, principal, serving_desk
from tests.floorkit import SITE, START, Bench, at

AGENTS = {"1": "blue", "2": "red", "3": "green"}

ROW = st.fixed_dictionaries(
    {
        "from_agent": st.sampled_from(["1", "2", "9"]),
        "to_agent": st.sampled_from(["", "2", "3"]),
        "to_queue": st.sampled_from(["", "sales", "support"]),
        "second": st.integers(0, 5),  # few values: ties are what pages break on
        "took": st.sampled_from([0, 1, 7_000_000, 7_000_001]),
        "tier": st.integers(0, 2),
        "slow": st.sampled_from(["yes", "no", "cannot_tell"]),
        "outcome": st.sampled_from(["completed", "failed", "abandoned"]),
        "case": st.sampled_from(["", "open", "closed"]),
        "site": st.sampled_from([SITE, SITE, "other"]),
    }
)
ASKED = st.fixed_dictionaries(
    {"sort": st.sampled_from(["newest", "worst"]), "limit": st.integers(1, 7)},
    optional={
        "agent": st.sampled_from(["1", "3"]),
        "queue": st.just("sales"),
        "slow": st.sampled_from(["yes", "cannot_tell"]),
        "outcome": st.just("failed"),
        "case": st.sampled_from(["any", "some", "none", "open", "closed"]),
        "from": st.just(at(1).isoformat()),
        "to": st.just(at(4).isoformat()),
        "site": st.just(SITE),
        "q": st.sampled_from(["agent-2", "SALES 1", "%"]),
    },
)
SCOPE = st.sampled_from(
    [{}, {"teams": frozenset({"blue"})}, {"queues": frozenset({"sales"})}, {"sites": frozenset({"other"})}]
)


def table_row(number: int, row: dict[str, Any]) -> TransferRow:
    requested = START + timedelta(seconds=row["second"])
    same = {name: row[name] for name in ("from_agent", "to_agent", "to_queue", "slow", "outcome", "tier", "site")}
    names = {
        "from_name": f"agent-{row['from_agent']}",
        "to_name": f"agent-{row['to_agent']}" if row["to_agent"] else "",
    }
    return TransferRow(
        transfer_id=f"t{number}",
        call_id=f"c{number}",
        kind="blind",
        to_number="",
        requested=requested,
        ended=requested,
        took_us=row["took"],
        recorded_at=requested,
        **same,
        **names,
    )


def case_row(number: int, row: dict[str, Any]) -> CaseRow:
    empty: dict[str, Any] = dict.fromkeys(("reason", "note", "follow_up", "opened_by", "changed_by"), "")
    return CaseRow(
        site=row["site"],
        transfer_id=f"t{number}",
        version=1,
        status=row["case"],
        opened_at=START,
        changed_at=START,
        **empty,
    )


def fits(row: dict[str, Any], asked: dict[str, Any], scope: dict[str, frozenset[str]]) -> bool:
    """What the documentation says of the filters, and of who sees what."""
    seen = (
        row["site"] in scope.get("sites", {row["site"]})
        and ("teams" not in scope or (row["from_agent"] == "1" and row["site"] == SITE))
        and ("queues" not in scope or row["to_queue"] == "sales")
    )
    cases = {"any": True, "some": row["case"] != "", "none": row["case"] == "", "open": row["case"] == "open"}
    cases["closed"] = row["case"] == "closed"
    agents = {row["from_agent"], row["to_agent"]}
    text = " ".join((f"agent-{row['from_agent']}", f"agent-{row['to_agent']}", row["to_queue"], *agents))
    return (
        seen
        and asked.get("agent", row["from_agent"]) in agents
        and asked.get("queue", row["to_queue"]) == row["to_queue"]
        and asked.get("slow", row["slow"]) == row["slow"]
        and asked.get("outcome", row["outcome"]) == row["outcome"]
        and asked.get("site", row["site"]) == row["site"]
        and cases[asked.get("case", "any")]
        and (row["second"] >= 1 or "from" not in asked)
        and (row["second"] < 4 or "to" not in asked)
        and asked.get("q", "") != "%"
        and ("agent-2" in text or asked.get("q") != "agent-2")
        and (("sales" in text and "1" in text) or asked.get("q") != "SALES 1")
    )


async def all_pages(desk: DeskClient, asked: dict[str, Any]) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        page = await desk.get("/transfers", cursor=cursor, **asked)
        assert len(page["transfers"]) <= asked["limit"]
        found += [one["transfer_id"] for one in page["transfers"]]
        if page["next"] is None:
            return found
        assert page["next"] != cursor
        cursor = page["next"]


@pytest.mark.parametrize("kind", BOTH)
@settings(max_examples=examples(25))
@given(rows=st.lists(ROW, max_size=25), asked=st.lists(ASKED, min_size=1, max_size=4), scope=SCOPE)
def test_no_page_skips_or_repeats_one(
    kind: str, rows: list[dict[str, Any]], asked: list[dict[str, Any]], scope: dict[str, frozenset[str]]
) -> None:
    async def run() -> None:
        async with own_database(kind, MIGRATIONS) as database:
            await _pages(database, rows, asked, scope)

    asyncio.run(run())


async def _pages(
    database: Database, rows: list[dict[str, Any]], asked: list[dict[str, Any]], scope: dict[str, frozenset[str]]
) -> None:
    bench = Bench()
    bench(0, *(AgentLoggedOn(agent_id=agent, team=team) for agent, team in AGENTS.items()))
    async with database.unit_of_work() as session:
        session.add_all(table_row(number, row) for number, row in enumerate(rows))
        session.add_all(case_row(number, row) for number, row in enumerate(rows) if row["case"])
    async with serving_desk(database, bench) as desk:
        desk.as_(principal("li", **scope))
        for query in asked:
            fitting = [number for number, row in enumerate(rows) if fits(row, query, scope)]
            worst = query["sort"] == "worst"
            order = sorted(
                fitting,
                key=lambda n: (rows[n]["tier"], rows[n]["took"]) if worst else (rows[n]["second"],),
                reverse=True,
            )
            found = [int(name[1:]) for name in await all_pages(desk, query)]
            assert sorted(found) == fitting
            keys = [(rows[n]["tier"], rows[n]["took"]) if worst else (rows[n]["second"],) for n in found]
            assert keys == [(rows[n]["tier"], rows[n]["took"]) if worst else (rows[n]["second"],) for n in order]
