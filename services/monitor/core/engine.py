"""The engine: canonical events in, facts out. Pure: no await, clock, logger, metric or database.

It knows no clock but the log's: `Clock` marks and the times of events drive every timer, so that a replay and a second
replica fire the same timers in the same order. Duplicates (a position already passed) change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from services.monitor.core import agents, calls, legs, links, show, transfers, visits
from services.monitor.core.counting import books, gauges, queueviews
from services.monitor.core.counting.gauges import SiteGauges
from services.monitor.core.counting.queueviews import QueueDayView, SiteFiguresView
from services.monitor.core.floor import OTHER_QUEUES, Floor, Kind
from services.monitor.core.rules import newrules, pulse, watching
from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.core.state import Anomaly, SiteState, Timer
from services.monitor.core.trust import clockjump, crowd, ghosts, listening, positions, resync, tickets
from services.monitor.core.views import FloorView, LegView
from shared import events
from shared.envelope import Data
from shared.events import Event
from shared.facts import Fact
from shared.siteconfig import Sites

Handler = Callable[[Floor, Event, Any], None]
Changed = tuple[Kind, str, str]  # kind, site and id of an entity

HANDLERS: Final = MappingProxyType[type[Data], Handler](
    {
        events.LinkUp: links.up,
        events.LinkDown: links.down,
        events.ClockJumped: clockjump.jumped,
        events.Snapshot: resync.snapshot,
        events.AgentSeen: resync.seen,
        events.AgentLoggedOn: agents.logged_on,
        events.AgentLoggedOff: agents.logged_off,
        events.AgentReady: agents.ready,
        events.AgentNotReady: agents.not_ready,
        events.WrapStarted: agents.wrap_started,
        events.WrapEnded: agents.wrap_ended,
        events.CallStarted: calls.started,
        events.CallQueued: visits.queued,
        events.CallDequeued: visits.dequeued,
        events.CallCleared: transfers.call_cleared,
        events.LegStarted: legs.leg_started,
        events.LegAnswered: legs.leg_answered,
        events.LegHeld: legs.leg_held,
        events.LegRetrieved: legs.leg_retrieved,
        events.LegMoved: legs.leg_moved,
        events.LegCleared: legs.leg_cleared,
        events.TransferRequested: transfers.requested,
        events.TransferRinging: transfers.ringing,
        events.TransferAnswered: transfers.answered,
        events.TransferBridged: transfers.bridged,
        events.TransferReleased: transfers.released,
        events.TransferEnded: transfers.ended,
        events.ListenStarted: listening.started,
        events.ListenEnded: listening.ended,
        events.CommandAnswered: listening.answered,
    }
)


def _of_known(handle: Handler) -> Handler:
    def handle_known(floor: Floor, event: Event, data: Data) -> None:
        known = crowd.admitted(floor, data)
        if known is not None:
            handle(floor, event, known)

    return handle_known


# by whether the site knows as many agents as it may
_HANDLERS: Final = (dict(HANDLERS), {kind: _of_known(handle) for kind, handle in HANDLERS.items()})
_SPECIAL: Final = frozenset({events.LinkUp, events.LinkDown, events.ClockJumped, events.CommandAnswered})

_states = msgspec.msgpack.Decoder(dict[str, SiteState])


class Engine:
    """The live state of every site on this engine's partitions. A `shared.machine.PartedMachine`; its parts are the sites."""

    def __init__(self, sites: Sites, rules: RuleBook) -> None:
        self._config = sites
        self._rules = rules
        self._floors: dict[str, Floor] = {}

    # ------------------------------------------------------------ the machine

    def apply(self, event: Event) -> list[Fact]:
        """What `event` made true, timers that were due before it first."""
        floor = self._floors.get(event.site) or self._begin(event.site)
        state, data, time = floor.state, event.data, event.time
        kind = type(data)
        if isinstance(data, events.Clock):
            if not _passes_by(state, time, data) and clockjump.usable(state, event, data):
                self._mark(floor, time, data)
        else:
            position = (event.rawpartition, event.rawoffset, event.rawindex)
            if position[1] >= 0:
                if positions.passed(state, position):
                    if not positions.began_anew(state, event):
                        state.duplicates += 1
                        return []
                    floor.event = event
                    positions.begin_anew(floor)
                state.position, state.output_index = position, 0
            if kind in _SPECIAL:
                event = self._special(floor, event)
                time = event.time
            else:
                if state.began is None:
                    links.begin(floor, event)
                if state.link_heard is None:
                    self._advance(floor, time)
            floor.event = event
            if state.heard_next is None or time >= state.heard_next:
                positions.heard(floor, event)
            floor.provenance, floor.precision_ms = event.provenance, event.precisionms
            _HANDLERS[floor.agents_full][kind](floor, event, data)
        if floor.touched:
            watching.catch_up(floor, time)
        if not floor.out:
            return []
        out, floor.out = floor.out, []
        return out

    def _special(self, floor: Floor, event: Event) -> Event:
        """Bring the site to the time of an event after which time goes on differently. What became of a command is no word of the
        switch and may be stamped by our clock: for it no time passes."""
        state, data = floor.state, event.data
        if isinstance(data, events.CommandAnswered):
            return msgspec.structs.replace(event, time=state.now or event.time)
        if isinstance(data, events.ClockJumped):
            if state.began is None:
                links.begin(floor, event)
            if state.link_heard is None:
                self._advance(floor, clockjump.before(event, data))
            return event
        event = links.in_switch_time(floor, event)
        if state.link_heard is None:
            blind = isinstance(data, events.LinkUp) and links.interrupted(state, data.connector)
            self._advance(floor, event.time, blind=blind)
        return event

    def tick(self, now: datetime) -> list[Fact]:
        """Move every site to `now`. Only for the end of a recording: elsewhere time is in the log."""
        out: list[Fact] = []
        for floor in self._floors.values():
            self._advance(floor, now)
            out += floor.out
            floor.out = []
        return out

    def passes(self, event: Event, moment: datetime) -> bool:
        """Whether `event` would take its site's clock beyond `moment`: for who wants the floor as it was then, no further."""
        floor = self._floors.get(event.site)
        if floor is None:
            return event.time > moment
        state, data = floor.state, event.data
        if isinstance(data, events.Clock):
            return event.time > moment and clockjump.usable(state, event, data)
        if isinstance(data, events.ClockJumped):
            return max(event.time, clockjump.before(event, data)) > moment
        if state.link_heard is not None or isinstance(data, events.CommandAnswered):
            return False
        return (links.in_switch_time(floor, event) if type(data) in _SPECIAL else event).time > moment

    def next_deadline(self) -> datetime | None:
        """Never by the wall clock: marks in the log drive the timers."""
        return None

    def dump(self) -> bytes:
        """The whole state as MessagePack."""
        return msgspec.msgpack.encode({site: floor.state for site, floor in self._floors.items()})

    def load(self, state: bytes) -> None:
        """Replace the state by what `dump` gave. Raises msgspec.ValidationError for another version's."""
        found = _states.decode(state)
        self._floors = {site: self._new_floor(one) for site, one in found.items()}
        for floor in self._floors.values():
            newrules.adopt(floor)
            books.adopt(floor)

    def parts(self) -> list[str]:
        """The sites, none of which knows of another."""
        return list(self._floors)

    def dump_part(self, name: str) -> bytes | None:
        """The state of one site as MessagePack."""
        floor = self._floors.get(name)
        return None if floor is None else msgspec.msgpack.encode(floor.state)

    def part_of(self, event: Event) -> str:
        """Its site."""
        return event.site

    def use_rules(self, rules: RuleBook) -> list[Fact]:
        """Go on with these rules. Flags of rules that are gone are cleared; what has no position in the log carries none."""
        self._rules = rules
        out: list[Fact] = []
        for site, floor in self._floors.items():
            floor.rules, floor.event = rules.at(site), None
            with floor.unplaced():
                newrules.adopt(floor)
            out += floor.out
            floor.out = []
        return out

    # ------------------------------------------------------------ for the feed

    def changes(self) -> list[Changed]:
        """Every entity whose picture changed since the last call, each once."""
        found: list[Changed] = []
        for site, floor in self._floors.items():
            if floor.touched:
                floor.show_touched()
            found += [(kind, site, key) for kind, key in floor.changed]
            floor.changed.clear()
        return found

    def changes_of(self, wanted: Iterable[Changed]) -> list[Changed]:
        """Those of `wanted` whose picture changed since the last call of either; the others wait for `changes`."""
        found: list[Changed] = []
        for entity in wanted:
            floor = self._floors.get(entity[1])
            if floor is not None and (entity[0], entity[2]) in floor.changed:
                del floor.changed[entity[0], entity[2]]
                found.append(entity)
        return found

    def view(self, kind: Kind, site: str, key: str) -> msgspec.Struct | None:
        """The picture of one entity; None when it is gone."""
        floor = self._floors.get(site)
        return None if floor is None else show.view(floor, kind, key)

    def legs_of(self, site: str, agent_id: str) -> tuple[tuple[str, LegView], ...]:
        """An agent's phones in calls, each with its call; also of one who flaps, whose card shows none."""
        floor = self._floors.get(site)
        return () if floor is None else show.legs_of(floor, agent_id)

    def numbers(self, site: str, call_id: str, transfer_id: str = "") -> tuple[str, str] | None:
        """The numbers (from, to) of a call on the board in full, of a transfer its target's; None when neither is there.

        Nothing else gives them: whoever asks writes down who sees them, and what for.
        """
        floor = self._floors.get(site)
        return None if floor is None else show.numbers(floor, call_id, transfer_id)

    def floor_view(self) -> FloorView:
        """The picture of everything, in a stable order."""
        return show.everything(self._floors[site] for site in sorted(self._floors))

    def clocks(self) -> dict[str, tuple[datetime, float]]:
        """Each site's time now and its speed."""
        return {
            site: (floor.state.now, floor.state.speed)
            for site, floor in self._floors.items()
            if floor.state.now is not None
        }

    def anomalies(self, site: str) -> dict[str, int]:
        """Events that were adopted though they could not follow the last one, and duplicates, by kind."""
        floor = self._floors.get(site)
        if floor is None:
            return {}
        return {**floor.state.anomalies, **({"duplicate": floor.state.duplicates} if floor.state.duplicates else {})}

    def anomaly_log(self, site: str) -> list[Anomaly]:
        """The last anomalies of a site with their evidence, the newest last; duplicates are only counted."""
        floor = self._floors.get(site)
        return [] if floor is None else floor.state.anomaly_log

    def queue_day(self, site: str, queue: str) -> QueueDayView | None:
        """A queue's day by intervals; None when nothing of it was counted."""
        floor = self._floors.get(site)
        found = None if floor is None else floor.state.queues.get(queue)
        return None if floor is None or found is None else queueviews.day(floor, found)

    def site_figures(self, site: str) -> SiteFiguresView | None:
        """A site's totals; None for a site never heard of."""
        floor = self._floors.get(site)
        return None if floor is None else queueviews.site(floor)

    def gauges(self, site: str) -> SiteGauges | None:
        """A site's figures for a monitoring system; None for a site never heard of."""
        floor = self._floors.get(site)
        return None if floor is None else gauges.of_site(floor)

    def tagged(self, site: str, tag: str) -> list[str]:
        """The agents of a site that were heard of and have this tag."""
        floor = self._floors.get(site)
        if floor is None:
            return []
        return [agent_id for agent_id in floor.state.agents if tag in floor.config.agent(agent_id).tags]

    def sites(self) -> list[str]:
        """The sites heard of."""
        return list(self._floors)

    def finish(self) -> list[Fact]:
        """Close what is open at the end of a recording: running intervals, and conversations as they stand."""
        out: list[Fact] = []
        for floor in self._floors.values():
            if floor.state.now is not None:
                links.close_books(floor, floor.state.now)
                out += floor.out
                floor.out = []
        return out

    # ------------------------------------------------------------ time

    def _begin(self, site: str) -> Floor:
        floor = self._floors[site] = self._new_floor(SiteState(site=site))
        floor.state.rules = newrules.fingerprints(floor.rules)
        floor.touch("site", site)
        return floor

    def _new_floor(self, state: SiteState) -> Floor:
        return Floor(state, self._config.site(state.site), self._rules.at(state.site), show.evidence)

    def _mark(self, floor: Floor, now: datetime, data: events.Clock) -> None:
        if data.skew_s != floor.state.skew_s:
            floor.state.skew_s = data.skew_s
            floor.touch("site", floor.state.site)
        self._advance(floor, now)

    def _advance(self, floor: Floor, now: datetime, *, blind: bool = False) -> None:
        """Fire what was due before `now`, each at its own time. A mark not newer than the last changes nothing.

        `blind`: nobody listened since the last mark, so no flag is raised for what may have ended in that time. What
        still holds after the sweep is told next time.
        """
        state = floor.state
        reached, timers = state.now, state.timers
        if reached is not None:
            if now <= reached:
                return
            if not timers or now <= timers[0].due:
                state.now = now
                return
        floor.event, floor.heading = None, now
        unseen: list[Timer] = []
        while (timer := floor.due(now)) is not None:
            if blind and timer.what in _OF_WHAT_WAS_HEARD:
                unseen.append(timer)
                continue
            if reached is None or timer.due > reached:
                state.now = reached = timer.due
            _FIRE[timer.what](floor, timer)
            if floor.touched:
                watching.catch_up(floor, reached)
        state.now = now
        if reached is None:
            pulse.begin(floor, now)
        for timer in unseen:
            floor.put_back(timer)


def _passes_by(state: SiteState, now: datetime, mark: events.Clock) -> bool:
    """Take a mark after which nothing is otherwise, as most are; False for the others, which are then not taken."""
    reached, timers = state.now, state.timers
    if (
        reached is None
        or mark.skew_s != state.skew_s
        or mark.jump != state.jump_offset
        or (timers and timers[0].due < now)
    ):
        return False
    if now > reached:
        state.now = now
    return True


def _fire_wrap(floor: Floor, timer: Timer) -> None:
    agents.wrap_due(floor, timer.about[0], timer.due)


def _fire_step(floor: Floor, timer: Timer) -> None:
    books.step(floor, timer)
    if floor.agents_full or OTHER_QUEUES in floor.state.queues:
        crowd.make_room(floor, timer.due)


def _fire_lease(floor: Floor, timer: Timer) -> None:
    agents.lease_due(floor, timer.about[0], timer.due)


def _fire_calls(floor: Floor, timer: Timer) -> None:
    ghosts.lapsed_calls(floor, timer.due)


def _fire_flap(floor: Floor, timer: Timer) -> None:
    agents.flap_due(floor, timer.about[0], timer.due)


def _fire_listen(floor: Floor, timer: Timer) -> None:
    listening.due(floor, timer.about[0], timer.due)


def _fire_ticket(floor: Floor, timer: Timer) -> None:
    tickets.due(floor, timer.about[0], timer.due)


def _fire_forget(floor: Floor, timer: Timer) -> None:
    transfers.forget(floor, timer.about[0], timer.due)


_FIRE: Final[dict[str, Callable[[Floor, Timer], None]]] = {
    "wrap": _fire_wrap,
    "flag": watching.deadline_passed,
    "keep": watching.keep_is_over,
    "hours": pulse.hours_changed,
    "pulse": pulse.fired,
    "forget": _fire_forget,
    "step": _fire_step,
    "lease": _fire_lease,
    "calls": _fire_calls,
    "flap": _fire_flap,
    "listen": _fire_listen,
    "ticket": _fire_ticket,
}
# these timers wait while nobody listens
_OF_WHAT_WAS_HEARD: Final = frozenset({"flag", "keep", "pulse", "lease", "calls", "ticket"})
