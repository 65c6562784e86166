"""Agents of a period: how their time was spent, as a partition of the clock."""

from __future__ import annotations

from typing import Final

from services.alerts.cleaning import NAME, clean
from services.alerts.periodic.comparing import difference
from services.alerts.periodic.document import Column, Section, Strip, Table, Value
from services.alerts.periodic.material import Desk
from services.alerts.recorder.figures import AgentFigures

SHOWN: Final = ("talk", "hold", "consult", "wrap", "ringing", "ready", "break", "unknown")  # in a bar, in its order
STATES: Final = (*SHOWN, "offline")
ON_PAPER: Final = ("wrap", "ready", "break")


def section(desk: Desk) -> Section:
    write, now = desk.write, desk.now
    crew = now.crew
    if crew is None or not now.agents:
        return Section("agents", write("agents.title"), (write("agents.none"),))
    unknown = write("agents.unknown", unknown=write.worked(crew.unknown_s)) if crew.unknown_s >= 60 else ""
    sentences = [write("agents.known", n=len(now.agents), known=write.worked(crew.total_s), unknown=unknown)]
    busiest = sorted((one for one in now.agents if one.occupancy is not None), key=lambda one: -(one.occupancy or 0))
    if len(busiest) > 3:
        who = [
            write("paren", a=clean(name_of(one), NAME), b=write.value(one.occupancy, "share")) for one in busiest[:3]
        ]
        sentences.append(write("agents.busiest", who=write.listed(who)))
    tables = [agents_table(desk, crew)]
    if crew.breaks_s:
        tables.append(breaks_table(desk, crew))
    return Section("agents", write("agents.title"), tuple(sentences), (), tuple(tables))


def name_of(one: AgentFigures) -> str:
    return one.name or one.agent_id


def agents_table(desk: Desk, crew: AgentFigures) -> Table:
    """A row for each agent; every state in seconds."""
    w = desk.write
    columns = (
        Column("agent", w("agent"), "text"),
        Column(
            "agent_id", w("agent.id"), "text", paper=any(one.name not in ("", one.agent_id) for one in desk.now.agents)
        ),
        Column("team", w("team"), "text", paper=any(one.team for one in desk.now.agents)),
        Column("staffed_s", w("staffed"), "duration"),
        *(Column(f"{state}_s", w(f"state.{state}"), "duration", paper=state in ON_PAPER) for state in STATES),
        Column("total_s", w("known"), "duration", paper=False),
        Column("uncovered_s", w("uncovered"), "duration", paper=False),
        Column("stale_s", w("stale_s"), "duration", paper=False),
        Column("occupancy", w("occupancy"), "share"),
        Column("occupancy_change", "±", "points", paper=False),
        Column("calls", w("calls"), "count"),
        Column("call_talk_s", w("call_talk"), "duration", paper=False),
        Column("call_hold_s", w("call_hold"), "duration", paper=False),
        Column("transfers", w("transfers"), "count"),
    )
    was = {one.agent_id: one for one in desk.was.agents} if desk.was else {}
    rows = tuple(_row(one, was.get(one.agent_id), name_of(one)) for one in desk.now.agents)
    total = _row(crew, desk.was.crew if desk.was else None, w("agents.crew"))
    return Table("agents", w("agents.table"), columns, rows, total, _strip(desk, crew), w("agents.note"))


def _row(one: AgentFigures, was: AgentFigures | None, name: str) -> tuple[Value, ...]:
    return (
        *(name, one.agent_id, one.team, one.staffed_s),
        *(one.state_s.get(state, 0.0) for state in STATES),
        *(one.total_s, one.uncovered_s, one.stale_s, one.occupancy),
        difference(one.occupancy, was.occupancy if was else None),
        *(one.calls, one.talk_s, one.hold_s, one.transfers),
    )


def _strip(desk: Desk, crew: AgentFigures) -> Strip:
    w, values, alts = desk.write, [], []
    for one in (*desk.now.agents, crew):
        whole = sum(one.state_s.get(state, 0.0) for state in SHOWN)
        shares = tuple(one.state_s.get(state, 0.0) / whole if whole > 0 else None for state in SHOWN)
        values.append(shares)
        parts = [
            f"{w(f'state.{state}')} {w.value(share, 'share')}"
            for state, share in zip(SHOWN, shares, strict=True)
            if share
        ]
        alts.append(
            w(
                "agents.strip.alt",
                name=clean(name_of(one), NAME) or w("agents.crew"),
                parts=w.listed(parts) or w("none"),
            )
        )
    names = tuple(w(f"state.{state}") for state in SHOWN)
    return Strip("stacked", w("agents.strip"), names, SHOWN, tuple(values), 1.0, tuple(alts))


def breaks_table(desk: Desk, crew: AgentFigures) -> Table:
    w = desk.write
    whole = sum(crew.breaks_s.values())
    columns = (
        Column("reason", w("reason"), "text"),
        Column("time_s", w("time"), "duration"),
        Column("share", w("share"), "share"),
    )
    rows = tuple(
        (w.named("reason", reason), seconds, seconds / whole if whole > 0 else None)
        for reason, seconds in sorted(crew.breaks_s.items(), key=lambda one: -one[1])
    )
    return Table("breaks", w("agents.breaks"), columns, rows, (w("total"), whole, 1.0 if whole > 0 else None), paper=8)
