"""From state to the structs that the board shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from services.monitor.core import transfers, visits
from services.monitor.core.counting import agentday, queueviews
from services.monitor.core.floor import Floor, Kind
from services.monitor.core.state import Agent, Call, Flag, Queue, Shown, Transfer
from services.monitor.core.transitions import line_of
from services.monitor.core.trust import leases
from services.monitor.core.views import (
    AgentCallView,
    AgentView,
    CallView,
    FlagView,
    FloorView,
    LegView,
    QueueView,
    SiteView,
    TransferView,
)
from shared.masking import masked, masked_field


def view(floor: Floor, kind: Kind, key: str) -> msgspec.Struct | None:
    """The picture of one entity of this site; None when it is gone."""
    state = floor.state
    if kind == "agent":
        return _if(state.agents.get(key), floor, agent_view)
    if kind == "queue":
        return _if(state.queues.get(key), floor, queue_view)
    if kind == "call":
        return _if(state.calls.get(key), floor, call_view)
    if kind == "transfer":
        return _if(state.transfers.get(key), floor, transfer_view)
    if kind == "flag":
        return _if(state.flags.get(key), floor, flag_view)
    return site_view(floor)


def _if(found: Any, floor: Floor, show: Any) -> msgspec.Struct | None:
    return None if found is None else show(floor, found)


def everything(floors: Iterable[Floor]) -> FloorView:
    """All floors as one snapshot body, entities in a stable order."""
    found = list(floors)

    def each(what: str, show: Any) -> tuple[Any, ...]:
        return tuple(show(floor, one) for floor in found for _, one in sorted(getattr(floor.state, what).items()))

    return FloorView(
        sites=tuple(site_view(floor) for floor in found),
        queues=each("queues", queue_view),
        agents=each("agents", agent_view),
        calls=each("calls", call_view),
        transfers=each("transfers", transfer_view),
        flags=each("flags", flag_view),
    )


def evidence(floor: Floor, subject: str, subject_id: str) -> dict[str, Any]:
    """The subject as it is now, as plain values. Of a flapping agent that is not what the board shows."""
    agent = floor.state.agents.get(subject_id) if subject == "agent" else None
    if agent is not None:
        found: msgspec.Struct | None = _card(floor, agent)
    else:
        found = view(floor, subject, subject_id)  # type: ignore[arg-type]  # rule subjects are a subset of kinds
    plain: dict[str, Any] = msgspec.to_builtins(found) if found is not None else {}
    return plain


# ---------------------------------------------------------------- one kind each


def site_view(floor: Floor) -> SiteView:
    state = floor.state
    return SiteView(
        site=state.site,
        label=floor.config.label or state.site,
        link=state.link,
        link_since=state.link_since,
        link_reason=state.link_reason,
        simulated=state.simulated,
        replay=state.replay,
        now=state.now,
        speed=state.speed,
        skew_s=state.skew_s,
        clock_jumps=state.clock_jumps,
        time_zone=floor.config.time_zone,
        anomalies=sum(state.anomalies.values()),
        heard=state.heard,
    )


def agent_view(floor: Floor, agent: Agent) -> AgentView:
    """An agent's card; while the agent flaps, as it was when the board was told last."""
    if agent.flapping_since is None:
        return _card(floor, agent)
    card = floor.cards.get(agent.agent_id)
    if card is None:
        card = floor.cards[agent.agent_id] = _damped(floor, agent)
    return card


def _damped(floor: Floor, agent: Agent) -> AgentView:
    """The card of a flapping agent: the state that it was mostly in, and nothing that changes with every state."""
    card, flap = _card(floor, agent), agent.flap
    if flap is None or agent.flapping_since is None:
        return card
    provenance = "stale" if floor.state.link == "down" else "inferred"
    return msgspec.structs.replace(
        card, state=flap.shown, since=agent.flapping_since, provenance=provenance, reason="", until=None, call=None
    )


def known(floor: Floor, provenance: Shown) -> Shown:
    """How it is known: not at all any more, while nobody hears the site."""
    return "stale" if floor.state.link == "down" else provenance


def _card(floor: Floor, agent: Agent) -> AgentView:
    legs = [floor.state.legs[leg_id] for leg_id in agent.legs]
    _, leg = line_of(legs)
    call = None
    if leg is not None:
        its_call = floor.state.calls.get(leg.call_id)
        call = AgentCallView(
            call_id=leg.call_id,
            queue=leg.queue,
            direction=its_call.direction if its_call else "",
            peer=masked(leg.peer),
            since=leg.answered or leg.started,
            other_calls=len(legs) - 1,
        )
    return AgentView(
        site=floor.state.site,
        agent_id=agent.agent_id,
        name=agent.name,
        team=agent.team,
        queues=tuple(agent.queues),
        state=agent.state,
        since=agent.since,
        provenance=known(floor, agent.provenance),
        seen=agent.seen,
        reason=agent.shown_reason,
        until=agent.wrap_until if agent.state == "wrap" else None,
        call=call,
        listened=bool(agent.listeners),
        listeners=len(agent.listeners),
        unordered=agent.unordered > 0,
        tags=floor.config.agent(agent.agent_id).tags,
        today=agentday.view(floor, agent),
        flapping_since=agent.flapping_since,
        lease_until=leases.until(floor, agent),
    )


def queue_view(floor: Floor, queue: Queue) -> QueueView:
    return queueviews.now(floor, queue, known(floor, "inferred" if queue.inferred else "observed"))


def call_view(floor: Floor, call: Call) -> CallView:
    visit = visits.waiting(call)
    legs = [floor.state.legs[leg_id] for leg_id in call.legs]
    return CallView(
        site=floor.state.site,
        call_id=call.call_id,
        direction=call.direction,
        state=call.state,
        since=call.since or call.started,
        started=call.started,
        queue=visit.queue if visit else next((leg.queue for leg in legs if leg.queue), ""),
        queued_since=visit.entered if visit else None,
        from_number=masked(call.from_number),
        legs=tuple(
            LegView(leg_id=leg.leg_id, agent_id=leg.agent_id, role=leg.role, state=leg.state, since=leg.since)
            for leg in legs
        ),
        transfer_id=call.transfers[-1] if call.transfers else "",
        provenance=known(floor, call.provenance),
        seen=call.seen,
        attributes={name: masked_field(name, value) for name, value in call.attributes.items()},
    )


def legs_of(floor: Floor, agent_id: str) -> tuple[tuple[str, LegView], ...]:
    """An agent's phones in calls, each with its call."""
    agent = floor.state.agents.get(agent_id)
    legs = [floor.state.legs[leg_id] for leg_id in agent.legs] if agent is not None else []
    return tuple(
        (leg.call_id, LegView(leg_id=leg.leg_id, agent_id=agent_id, role=leg.role, state=leg.state, since=leg.since))
        for leg in legs
    )


def transfer_view(floor: Floor, transfer: Transfer) -> TransferView:
    return TransferView(
        site=floor.state.site,
        transfer_id=transfer.transfer_id,
        call_id=transfer.call_id,
        kind=transfer.kind,
        from_agent=transfer.from_agent,
        to_agent=transfer.to_agent,
        to_queue=transfer.to_queue,
        to_number=masked(transfer.to_number),
        requested=transfer.requested,
        ringing=transfer.ringing,
        answered=transfer.answered,
        bridged=transfer.bridged,
        released=transfer.released,
        ended=transfer.ended,
        outcome=transfer.outcome,
        slow=transfers.slow(floor, transfer) or "no",
        total_s=transfers.total_s(transfer),
        customer_gap_s=transfers.customer_gap_s(transfer),
        precision_ms=transfer.precision_ms,
        provenance=known(floor, transfer.provenance) if transfer.ended is None else transfer.provenance,
        seen=transfer.seen,
        reason=transfer.reason,
        seek_s=transfers.seek_s(transfer),
        ring_s=transfers.ring_s(transfer),
        brief_s=transfers.brief_s(transfer),
    )


def numbers(floor: Floor, call_id: str, transfer_id: str) -> tuple[str, str] | None:
    """From and to in full, "" as far as the switch did not tell."""
    transfer = floor.state.transfers.get(transfer_id)
    call = floor.state.calls.get(transfer.call_id if transfer else call_id)
    if transfer is None and (transfer_id or call is None):
        return None
    target = transfer.to_number if transfer else ""
    return (call.from_number if call else "", target or (call.to_number if call else ""))


def flag_view(floor: Floor, flag: Flag) -> FlagView:
    return FlagView(
        site=floor.state.site,
        flag_id=flag.flag_id,
        rule=flag.rule,
        severity=flag.severity,
        subject=flag.subject,
        subject_id=flag.subject_id,
        started=flag.started,
        raised=flag.raised,
        summary_en=flag.summary_en,
        summary_zh=flag.summary_zh,
        labels=flag.labels,
        precision_ms=flag.precision_ms,
    )
