"""Floors to show: views as the monitor makes them, with sensible values for what a test does not care about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.monitor.core.views import (
    AgentCallView,
    AgentView,
    FlagView,
    FloorView,
    QueueView,
    ServiceLevelView,
    SiteView,
    TransferView,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    """So many seconds before the site's noon."""
    return NOON - timedelta(seconds=seconds)


def changed(view: Any, **values: Any) -> Any:
    """A copy of a view with other values."""
    return msgspec.structs.replace(view, **values)


def site(name: str = "hq", **values: Any) -> SiteView:
    plain = SiteView(
        site=name,
        label="Headquarters",
        link="up",
        link_since=ago(3600),
        link_reason="",
        simulated=False,
        replay=False,
        now=NOON,
        speed=1.0,
        skew_s=0.0,
        time_zone="Asia/Shanghai",
        anomalies=0,
    )
    return changed(plain, **values)  # type: ignore[no-any-return]


def agent(agent_id: str, name: str, state: str = "ready", **values: Any) -> AgentView:
    plain = AgentView(
        site="hq",
        agent_id=agent_id,
        name=name,
        team="Blue",
        queues=("sales",),
        state=state,  # type: ignore[arg-type]
        since=ago(10),
        provenance="observed",
        seen=ago(1),
        reason="",
        until=None,
        call=None,
        listened=False,
        tags=(),
    )
    return changed(plain, **values)  # type: ignore[no-any-return]


def call(**values: Any) -> AgentCallView:
    plain = AgentCallView(
        call_id="c1", queue="sales", direction="inbound", peer="+45••••4821", since=ago(10), other_calls=0
    )
    return changed(plain, **values)  # type: ignore[no-any-return]


def queue(name: str, label: str, **values: Any) -> QueueView:
    plain = QueueView(
        site="hq",
        queue=name,
        label=label,
        waiting=0,
        longest_since=None,
        agents={"ready": 1},
        offered=0,
        answered=0,
        abandoned=0,
        short_abandoned=0,
        other_ended=0,
        asa_s=None,
        longest_waited_s=None,
        service_level=ServiceLevelView(formula="F3s", within_s=20.0, short_abandon_s=5.0, target=0.8, value=None),
        service_level_f1=None,
        day="2026-11-22",
        since=ago(7200),
    )
    return changed(plain, **values)  # type: ignore[no-any-return]


def flag(flag_id: str, **values: Any) -> FlagView:
    plain = FlagView(
        site="hq",
        flag_id=flag_id,
        rule="long_hold",
        severity="warning",
        subject="agent",
        subject_id="1001",
        started=ago(65),
        raised=ago(5),
        summary_en="Ana Silva has had the customer on hold for more than 60 s",
        summary_zh="Ana Silva 让客户保持等待已超过 60 秒",
        labels={"agent": "1001"},
    )
    return changed(plain, **values)  # type: ignore[no-any-return]


def transfer(transfer_id: str, **values: Any) -> TransferView:
    plain = TransferView(
        site="hq",
        transfer_id=transfer_id,
        call_id="c1",
        kind="attended",
        from_agent="1001",
        to_agent="1002",
        to_queue="",
        to_number="",
        requested=ago(2),
        ringing=None,
        answered=None,
        bridged=None,
        released=None,
        ended=None,
        outcome="running",
        slow="no",
        total_s=None,
        customer_gap_s=None,
    )
    return changed(plain, **values)  # type: ignore[no-any-return]


def small_floor() -> FloorView:
    """Three agents, two queues, nothing wrong."""
    return FloorView(
        sites=(site(),),
        queues=(
            queue("sales", "Sales", waiting=2, longest_since=ago(15), offered=40, answered=37, abandoned=3, asa_s=9.0),
            queue("support", "Support"),
        ),
        agents=(
            agent("1001", "Ana Silva", "talk", call=call()),
            agent("1002", "Bo Lind"),
            agent("1003", "Cao Wei", "break", team="Red", reason="lunch", queues=("support",)),
        ),
        calls=(),
        transfers=(),
        flags=(),
    )


def empty_floor(*sites: SiteView) -> FloorView:
    return FloorView(sites=sites, queues=(), agents=(), calls=(), transfers=(), flags=())


def large_floor(agents: int) -> FloorView:
    """Many agents in teams of 25, one queue."""
    many = tuple(agent(f"{n:05}", f"Agent {n:05}", "talk", team=f"Team {n // 25:03}") for n in range(agents))
    return FloorView(sites=(site(),), queues=(queue("sales", "Sales"),), agents=many, calls=(), transfers=(), flags=())
