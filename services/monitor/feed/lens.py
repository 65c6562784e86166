"""Who sees what: pure decisions on views, the same for the feed, the REST API and the rewind.

A `Lens` is what a token allows and what its client asked for; an entity is seen when both say so, each by itself. So a
filter narrows what a token allows and can never widen it, whatever the rules for an entity are.

    lens = Lens(principal.scope)
    lens.sees("call", view, engine.view)     # the last: how to find its agents
    lens.floor(engine.floor_view())
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, get_args

from msgspec import Struct

from services.monitor.core.floor import Kind
from services.monitor.core.views import AgentView, CallView, FlagView, FloorView, QueueView, SiteView, TransferView
from shared.identity import WHOLE, Scope

ALL_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Look = Callable[[Kind, str, str], Any]  # an entity's view or its traits, by kind, site and id; None when unknown


# ---------------------------------------------------------------- what of an entity decides who sees it


class AgentTraits(Struct, frozen=True, gc=False):
    site: str
    agent_id: str
    team: str
    queues: tuple[str, ...]


class QueueTraits(Struct, frozen=True, gc=False):
    site: str
    queue: str


class CallTraits(Struct, frozen=True, gc=False):
    """`agents`: those of its legs."""

    site: str
    agents: tuple[str, ...]
    queue: str


class TransferTraits(Struct, frozen=True, gc=False):
    site: str
    agents: tuple[str, ...]
    to_queue: str


class FlagTraits(Struct, frozen=True, gc=False):
    """`agent` and `queue` are its labels, for when what it is about is gone."""

    site: str
    subject: Kind
    subject_id: str
    agent: str
    queue: str


class SiteTraits(Struct, frozen=True, gc=False):
    site: str


Traits = AgentTraits | QueueTraits | CallTraits | TransferTraits | FlagTraits | SiteTraits


def traits_of(view: Any) -> Traits:
    """What of this view, or of what has its fields, decides who sees it; traits are given back as they are."""
    make = _TRAITS.get(type(view))
    return view if make is None else make(view)


def agents_of(view: Any) -> tuple[str, ...]:
    """The agents by whom it is seen, itself aside; none of what is gone (None)."""
    traits = None if view is None else traits_of(view)
    if isinstance(traits, CallTraits | TransferTraits):
        return traits.agents
    return (traits.agent,) if isinstance(traits, FlagTraits) and traits.agent else ()


def _of_call(view: CallView) -> CallTraits:
    return CallTraits(view.site, tuple(leg.agent_id for leg in view.legs if leg.agent_id), view.queue)


def _of_transfer(view: TransferView) -> TransferTraits:
    return TransferTraits(view.site, tuple(agent for agent in (view.from_agent, view.to_agent) if agent), view.to_queue)


def _of_flag(view: FlagView) -> FlagTraits:
    labels = view.labels
    return FlagTraits(view.site, view.subject, view.subject_id, labels.get("agent", ""), labels.get("queue", ""))


_TRAITS: Final[dict[type, Callable[[Any], Traits]]] = {
    AgentView: lambda view: AgentTraits(view.site, view.agent_id, view.team, view.queues),
    QueueView: lambda view: QueueTraits(view.site, view.queue),
    CallView: _of_call,
    TransferView: _of_transfer,
    FlagView: _of_flag,
    SiteView: lambda view: SiteTraits(view.site),
}

# ---------------------------------------------------------------- the decision


class Wanted(Struct, frozen=True):
    """One set of conditions: a token's scope, or a client's filter. None: of all. `agents` are "site/id"."""

    sites: frozenset[str] | None = None
    teams: frozenset[str] | None = None
    queues: frozenset[str] | None = None
    agents: frozenset[str] | None = None

    @property
    def everything(self) -> bool:
        return self.sites is None and self._whole_sites

    @property
    def _whole_sites(self) -> bool:
        return self.teams is None and self.queues is None and self.agents is None

    def sees(self, kind: Kind, it: Any, look: Look) -> bool:
        """Whether these conditions let an entity with these traits through."""
        if self.sites is not None and it.site not in self.sites:
            return False
        if kind == "site" or self._whole_sites:
            return True
        if kind == "agent":
            return self._agent(it)
        if kind == "queue":
            return self._queue(it.queue)
        if kind == "call":
            return self._call(it, look)
        if kind == "transfer":
            return self._any_agent(it, look) or self._named(it.to_queue)
        return self._flag(it, look)

    def _agent(self, it: AgentTraits) -> bool:
        return (
            (self.teams is None or it.team in self.teams)
            and (self.queues is None or not self.queues.isdisjoint(it.queues))
            and (self.agents is None or f"{it.site}/{it.agent_id}" in self.agents)
        )

    def _queue(self, queue: str) -> bool:
        return self.queues is None or queue in self.queues

    def _named(self, queue: str) -> bool:
        return self.queues is not None and queue in self.queues

    def _any_agent(self, it: Any, look: Look) -> bool:
        for agent_id in it.agents:
            agent = look("agent", it.site, agent_id)
            if agent is not None and self._agent(traits_of(agent)):  # type: ignore[arg-type]
                return True
        return False

    def _call(self, it: CallTraits, look: Look) -> bool:
        """One of its agents is seen; or nobody has it and its queue is seen; or its queue was named."""
        if self._any_agent(it, look):
            return True
        if self.agents is not None or not it.queue:
            return False
        if not it.agents and self._queue(it.queue):
            return True
        return self.teams is None and self._named(it.queue)

    def _flag(self, it: FlagTraits, look: Look) -> bool:
        """What it is about is seen; of what is gone its labels tell."""
        if it.subject == "site":
            return True
        if it.subject == "queue":
            return self._queue(it.subject_id)
        about = look(it.subject, it.site, it.subject_id)
        if about is not None:
            return self.sees(it.subject, traits_of(about), look)
        agent = look("agent", it.site, it.agent) if it.agent else None
        if agent is not None:
            return self._agent(traits_of(agent))  # type: ignore[arg-type]
        return self.agents is None and self.teams is None and self._named(it.queue)


def wanted_by(scope: Scope) -> Wanted:
    """A token's scope as conditions."""
    return Wanted(scope.sites, scope.teams, scope.queues)


class Lens:
    """What somebody sees: what is allowed, and of that what was asked for."""

    def __init__(
        self, scope: Scope = WHOLE, asked: Wanted | None = None, narrowed: Iterable[Kind] | None = None
    ) -> None:
        """`asked` is asked of the kinds in `narrowed`, None: of all; the others are seen as far as they are allowed."""
        allowed = _conditions(wanted_by(scope))
        both = _conditions(wanted_by(scope), asked or Wanted())
        kinds = frozenset(ALL_KINDS if narrowed is None else narrowed) if both != allowed else frozenset()
        self._kinds = {kind: both if kind in kinds else allowed for kind in ALL_KINDS}
        self.open = not any(self._kinds.values())  # nothing is hidden

    def sees(self, kind: Kind, view: Any, look: Look) -> bool:
        """Whether this entity is seen. `view`: its view or its traits; `look` finds its agents and what it is about."""
        return self.open or self.lets_through(kind, traits_of(view), look)

    def lets_through(self, kind: Kind, traits: Traits, look: Look) -> bool:
        """As `sees`, for those who keep traits."""
        return all(one.sees(kind, traits, look) for one in self._kinds[kind])

    def site(self, name: str) -> bool:
        """Whether this site can be seen."""
        return all(sites is None or name in sites for sites in self.site_sets())

    def site_sets(self) -> tuple[frozenset[str] | None, ...]:
        """The sets of sites of which a site has to be in each; None: of all."""
        return tuple(one.sites for one in self._kinds["site"])

    def floor(self, floor: FloorView) -> FloorView:
        """The floor as it is seen."""
        if self.open:
            return floor
        known: dict[tuple[Kind, str, str], Any] = {}
        for agent in floor.agents:
            known["agent", agent.site, agent.agent_id] = traits_of(agent)
        for call in floor.calls:
            known["call", call.site, call.call_id] = traits_of(call)
        for transfer in floor.transfers:
            known["transfer", transfer.site, transfer.transfer_id] = traits_of(transfer)

        def look(kind: Kind, site: str, key: str) -> Any:
            return known.get((kind, site, key))

        def seen(kind: Kind, views: Iterable[Any]) -> tuple[Any, ...]:
            return tuple(view for view in views if self.lets_through(kind, traits_of(view), look))

        return FloorView(
            sites=seen("site", floor.sites),
            queues=seen("queue", floor.queues),
            agents=seen("agent", floor.agents),
            calls=seen("call", floor.calls),
            transfers=seen("transfer", floor.transfers),
            flags=seen("flag", floor.flags),
        )

    def name(self) -> str:
        """The same for every lens through which the same is seen for the same reasons; "" when nothing is hidden."""
        by_kind = {kind: " and ".join(map(repr, map(_order, found))) for kind, found in self._kinds.items()}
        names = set(by_kind.values())
        return names.pop() if len(names) == 1 else repr(by_kind)


def _conditions(*found: Wanted) -> tuple[Wanted, ...]:
    """Those that hide anything, each once and in one order."""
    return tuple(one for one in sorted(set(found), key=_order) if not one.everything)


def _order(one: Wanted) -> tuple[tuple[str, ...], ...]:
    """A value by which conditions can be sorted and told apart; a condition that is set comes with an empty name first."""
    sets = (one.sites, one.teams, one.queues, one.agents)
    return tuple(() if found is None else ("", *sorted(found)) for found in sets)
