"""How a database would come to what a statement of the alerts service asks for: by an index, or through all there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

LARGE = ("incidents", "flags", "incident_events", "messages", "message_attempts", "notices")
SMALL = ("_waiting", "_active", "_holds", "_unresolved_group")  # indexes of what is open, which is little


async def read_whole(connection: AsyncConnection, statement: str, values: Any) -> list[str]:
    """The steps of its plan that read all rows of a large table."""
    if connection.dialect.name == "sqlite":
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        found = [(step, re.match(r"SCAN (\w+)\b(.*)", step)) for step in (str(row[3]) for row in rows)]
        return [step for step, scan in found if scan and scan[1] in LARGE and not scan[2].endswith(SMALL)]
    for way in ("seqscan", "hashjoin", "mergejoin"):  # small tables are read whole by these, whatever indexes they have
        await connection.exec_driver_sql(f"SET enable_{way} = off")
    plan = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
    return [
        f"{node['Node Type']} {node.get('Index Name', '')} {node['Relation Name']}"
        for node in nodes(plan.scalar_one()[0]["Plan"])
        if node.get("Relation Name") in LARGE
        and not node["Node Type"].startswith(("Bitmap", "ModifyTable"))
        and "Index Cond" not in node
        and not str(node.get("Index Name", "")).endswith(SMALL)
    ]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's step and all that it stands on."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)
