"""What tells of an action's effect: figures of a queue, a site, agents, a call, a transfer, as the board has them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from services.monitor.core.counting.queueviews import SiteFiguresView
from services.monitor.core.floor import Kind
from services.monitor.core.views import AgentView, CallView, QueueView, SiteView, TransferView

Why = Literal["", "link_down", "behind", "no_site"]


class AgentFigures(Struct, frozen=True, kw_only=True):
    """An agent, and for how long in that state."""

    agent_id: str
    name: str
    state: str
    for_s: float | None


class CallFigures(Struct, frozen=True, kw_only=True):
    """A call, and for how long in that state; `over` when the board no longer has it."""

    state: str
    for_s: float | None


class TransferFigures(Struct, frozen=True, kw_only=True):
    """A transfer, and what it has taken so far or in the end; `over` when the board no longer has it."""

    outcome: str
    took_s: float | None


class Figures(Struct, frozen=True, kw_only=True):
    """Of the queue, or of the site where no queue is named. Not `known`: nobody could tell, and `why`; then all are null."""

    known: bool
    why: Why = ""
    at: datetime | None = None  # the switch's time
    queue: str = ""  # that waiting, longest_wait_s, agents, service_level and abandonment_rate are of; "": the site
    waiting: int | None = None
    longest_wait_s: float | None = None  # of those who wait now; null when none does, and for a site
    agents: dict[str, int] | None = None  # logged on, by displayed state
    service_level: float | None = None  # of the last 15 minutes; null when no call counts, and for a site
    service_level_formula: str = ""
    abandonment_rate: float | None = None  # likewise
    of: tuple[AgentFigures, ...] = ()
    call: CallFigures | None = None
    transfer: TransferFigures | None = None


class Board(Protocol):
    """What the engine shows."""

    def view(self, kind: Kind, site: str, key: str) -> msgspec.Struct | None: ...

    def site_figures(self, site: str) -> SiteFiguresView | None: ...


class About(Struct, frozen=True, kw_only=True):
    """What an action is about."""

    site: str
    queue: str = ""
    agents: tuple[str, ...] = ()
    call_id: str = ""
    transfer_id: str = ""


def take(board: Board, about: About, *, present: bool) -> Figures:
    """The figures now. `present`: what the board shows is the present, as far as its feed is concerned."""
    site = board.view("site", about.site, about.site)
    if not isinstance(site, SiteView):
        return Figures(known=False, why="no_site")
    if not present:
        return Figures(known=False, why="behind")
    if site.link == "down":
        return Figures(known=False, why="link_down")
    found = _queue(board, about, site.now) or _site(board, about, site.now)
    return msgspec.structs.replace(
        found,
        of=tuple(_agents(board, about.site, about.agents, site.now)),
        call=_call(board, about, site.now) if about.call_id else None,
        transfer=_transfer(board, about, site.now) if about.transfer_id else None,
    )


def _queue(board: Board, about: About, now: datetime | None) -> Figures | None:
    queue = board.view("queue", about.site, about.queue) if about.queue else None
    if not isinstance(queue, QueueView):
        return None
    recent = queue.recent
    return Figures(
        known=True,
        at=now,
        queue=queue.queue,
        waiting=queue.waiting,
        longest_wait_s=_since(queue.longest_since, now),
        agents=queue.agents,
        service_level=recent.service_level if recent else None,
        service_level_formula=queue.service_level.formula,
        abandonment_rate=recent.abandonment_rate if recent else None,
    )


def _site(board: Board, about: About, now: datetime | None) -> Figures:
    totals = board.site_figures(about.site)
    if totals is None:
        return Figures(known=False, why="no_site")
    return Figures(known=True, at=now, waiting=totals.waiting, agents=totals.agents)


def _agents(board: Board, site: str, agents: Iterable[str], now: datetime | None) -> Iterable[AgentFigures]:
    for agent_id in agents:
        card = board.view("agent", site, agent_id)
        if isinstance(card, AgentView):
            yield AgentFigures(agent_id=agent_id, name=card.name, state=card.state, for_s=_since(card.since, now))
        else:
            yield AgentFigures(agent_id=agent_id, name=agent_id, state="unknown", for_s=None)


def _call(board: Board, about: About, now: datetime | None) -> CallFigures:
    call = board.view("call", about.site, about.call_id)
    if not isinstance(call, CallView):
        return CallFigures(state="over", for_s=None)
    return CallFigures(state=call.state, for_s=_since(call.since, now))


def _transfer(board: Board, about: About, now: datetime | None) -> TransferFigures:
    transfer = board.view("transfer", about.site, about.transfer_id)
    if not isinstance(transfer, TransferView):
        return TransferFigures(outcome="over", took_s=None)
    took_s = _since(transfer.requested, transfer.bridged or transfer.ended or now)
    return TransferFigures(outcome=transfer.outcome, took_s=took_s)


def _since(start: datetime | None, now: datetime | None) -> float | None:
    if start is None or now is None:
        return None
    return round(max(0.0, (now - start).total_seconds()), 3)
