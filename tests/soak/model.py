"""The reference model: what has to come of a story, worked out from the story alone, and how it is read off what came.

Nothing here asks the engine. Keys name what must be exact; times are those of the floor's clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from shared import facts
from shared.codec import encode
from shared.events import Event
from shared.facts import Fact
from tests.soak.ledger import Ledger
from tests.soak.story import Call, Story, Unreadable

SHOWN_MS: Final = 300_000  # a transfer after its end (docs/rules.md)
At = Callable[[float], datetime]  # the floor's clock at a second of the load


class Model:
    """What must be there in the end. `began`: the load's clock, second by second."""

    def __init__(self, story: Story, at: At) -> None:
        self.story = story
        self._at = at

    def _ms(self, ms: int) -> datetime:
        return self._at(ms / 1000)

    # ------------------------------------------------------------ what is on the topics

    def events(self) -> Ledger:
        """Each thing that the switch said is there once, with its time."""
        due = {
            (what.site, self._at(what.at_s), type(what.data).__name__, encode(what.data)): what.at_s
            for what in self.story.happenings
            if not isinstance(what.data, Unreadable)
        }
        return Ledger("events", due)

    def refused(self, more: Mapping[Hashable, float] | None = None) -> Ledger:
        """What could not be read: site and number of the record in its connection; `more`: what faults wrote."""
        due: dict[Hashable, float] = dict(more or {})
        seq = dict.fromkeys(self.story.sites, 0)
        for what in self.story.happenings:
            if isinstance(what.data, Unreadable):
                due[what.site, seq[what.site]] = what.at_s
            seq[what.site] += 1
        return Ledger("dead letters", due)

    def flags(self, ended: Mapping[str, datetime] | None = None) -> Ledger:
        """Site, rule, transfer, when it was raised; and when it was cleared, where that happens before the end.

        `ended`: each site's clock in the end; without it the story's end. A failed transfer is a flag for as long as it is shown.
        """
        last = dict.fromkeys(self.story.sites, self._at(self.story.lasts_s)) | dict(ended or {})
        due = {key: at_ms / 1000 for key, at_ms in self._flags() if self._ms(at_ms) <= last[key[0]]}
        return Ledger("flags", due)  # type: ignore[arg-type]

    def _flags(self) -> Iterator[tuple[tuple[str, str, str, str, datetime], int]]:
        for call in self.story.calls():
            transfer = call.transfer
            if transfer is None:
                continue
            over = transfer.at + transfer.total
            if transfer.slow:
                due = transfer.at + 7000
                yield (call.site, "slow_transfer", transfer.transfer_id, "raised", self._ms(due)), due
                yield (call.site, "slow_transfer", transfer.transfer_id, "cleared", self._ms(over)), over
            if transfer.failed:
                gone = over + SHOWN_MS
                yield (call.site, "failed_handover", transfer.transfer_id, "raised", self._ms(over)), over
                yield (call.site, "failed_handover", transfer.transfer_id, "cleared", self._ms(gone)), gone

    def calls(self, name: str = "calls") -> Ledger:
        """Site, call, queue, outcome, seconds waited."""
        return Ledger(name, {self._call(call): call.ended / 1000 for call in self.story.calls()})

    def _call(self, call: Call) -> Hashable:
        outcome = "answered" if call.agent else "abandoned"
        return call.site, call.call_id, call.queue, outcome, call.agent, call.waited

    def transfers(self, name: str = "transfers", *, shown: bool = False) -> Ledger:
        """Site, transfer, outcome, its total in ms, whether it was slow. A failed one has no total; on pages it may be slow."""
        due: dict[Hashable, float] = {}
        for call in self.story.calls():
            one = call.transfer
            if one is not None:
                slow = "yes" if one.slow else "no"
                outcome = ("failed", None, slow if shown else None) if one.failed else ("completed", one.total, slow)
                due[call.site, one.transfer_id, *outcome] = (one.at + one.total) / 1000
        return Ledger(name, due)

    def stays(self, name: str = "agents' time") -> Ledger:
        """Site, agent, state, beginning and end: together each agent's time, without gap and overlap."""
        return Ledger(
            name,
            {
                (part.name, agent, state, self._ms(begin), self._ms(end)): end / 1000
                for part in self.story.parts
                for agent, stays in part.stays.items()
                for state, begin, end in stays
            },
        )

    def sums(self, name: str = "agents' days") -> Ledger:
        """Site, agent, state and the ms that it was in it, all stays together: what is kept by days."""
        found: Counter[tuple[str, str, str]] = Counter()
        ends: dict[tuple[str, str, str], int] = {}
        for part in self.story.parts:
            for agent, stays in part.stays.items():
                for state, begin, end in stays:
                    found[part.name, agent, state] += end - begin
                    ends[part.name, agent, state] = end
        return Ledger(name, {(*key, ms): ends[key] / 1000 for key, ms in found.items() if ms})

    def counts(self, name: str = "days of calls") -> Ledger:
        """Site, queue, outcome and how many calls: what is kept by days."""
        found: Counter[tuple[str, str, str]] = Counter()
        ends: dict[tuple[str, str, str], int] = {}
        for call in self.story.calls():
            key = (call.site, call.queue, "answered" if call.agent else "abandoned")
            found[key] += 1
            ends[key] = max(ends.get(key, 0), call.ended)
        return Ledger(name, {(*key, number): ends[key] / 1000 for key, number in found.items()})

    # ------------------------------------------------------------ what people are told

    def incidents(self, name: str = "incidents") -> Ledger:
        """Site, rule, transfer: each flag is an incident of its own."""
        due: dict[Hashable, float] = {}
        for key, at_ms in self._flags():
            site, rule, transfer, what, _ = key
            if what == "raised":
                due[site, rule, transfer] = at_ms / 1000
        return Ledger(name, due)

    # ------------------------------------------------------------ what the board shows in the end

    def agents(self) -> dict[tuple[str, str], str]:
        """Site and agent to the state that is shown."""
        return {
            (part.name, agent.name): "offline" if number % 2 == 0 else "ready"
            for part in self.story.parts
            for number, agent in enumerate(part.agents)
        }

    def queues(self) -> dict[tuple[str, str], dict[str, int]]:
        """Site and queue to the day's counts."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        for call in self.story.calls():
            counts = found.setdefault((call.site, call.queue), dict.fromkeys(("offered", "answered", "abandoned"), 0))
            counts["offered"] += 1
            counts["answered" if call.agent else "abandoned"] += 1
        return found


# ---------------------------------------------------------------- reading what came


def event_key(event: Event) -> Hashable:
    """As `Model.events` names it."""
    return event.site, event.time, type(event.data).__name__, encode(event.data)


def flag_keys(found: Iterable[Fact]) -> Iterator[Hashable]:
    """As `Model.flags` names them."""
    for fact in found:
        data = fact.data
        if isinstance(data, facts.FlagRaised):
            yield fact.site, data.rule, data.subject_id, "raised", data.raised_at
        elif isinstance(data, facts.FlagCleared):
            yield fact.site, data.rule, data.subject_id, "cleared", data.cleared_at


def call_keys(found: Iterable[Fact]) -> Iterator[Hashable]:
    """As `Model.calls` names them."""
    for fact in found:
        data = fact.data
        if isinstance(data, facts.CallEnded):
            yield fact.site, data.call_id, data.queue, data.outcome, data.agent_id, round(data.waited_s * 1000)


def transfer_keys(found: Iterable[Fact]) -> Iterator[Hashable]:
    """As `Model.transfers` names them."""
    for fact in found:
        data = fact.data
        if isinstance(data, facts.TransferEnded):
            total = None if data.total_s is None else round(data.total_s * 1000)
            yield fact.site, data.transfer_id, data.outcome, total, data.slow


def stay_keys(found: Iterable[tuple[str, str, str, datetime, datetime]]) -> Iterator[Hashable]:
    """As `Model.stays` names them, of site, agent, state, beginning and end: pieces that were cut are put together."""
    last: dict[tuple[str, str], tuple[str, datetime, datetime]] = {}
    for site, agent, state, begin, end in found:
        if begin == end:
            continue
        known = last.get((site, agent))
        if known is not None and known[0] == state and known[2] == begin:
            last[site, agent] = (state, known[1], end)
            continue
        if known is not None:
            yield site, agent, *known
        last[site, agent] = (state, begin, end)
    for (site, agent), known in last.items():
        yield site, agent, *known


def intervals(found: Iterable[Fact]) -> Iterator[tuple[str, str, str, datetime, datetime]]:
    """Of the facts those about agents' time."""
    for fact in found:
        data = fact.data
        if isinstance(data, facts.AgentInterval):
            yield fact.site, data.agent_id, data.state, data.started_at, data.ended_at
