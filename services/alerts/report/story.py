"""What an incident report says in sentences: written from the facts alone, in the order in which people ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from msgspec import Struct

from services.alerts.api.detailviews import DetailView, EntryView
from services.alerts.core.impact import Impact
from services.alerts.report.drawings import Mark
from services.alerts.report.words import Words
from services.alerts.text import Text

MOST_MARKS = 12
MOST_ALIKE = 4
_FLAGS_ALONE = ("flag_joined", "flag_cleared")
_TONES = {
    "told": "#0a5cb0",
    "acknowledged": "#1c7c3c",
    "assigned": "#1c7c3c",
    "resolved": "#1c7c3c",
    "opened": "#b8231a",
}
_TOLD_OF = (
    "opened",
    "told",
    "acknowledged",
    "assigned",
    "raised",
    "held",
    "released",
    "resolved",
    "resolved_quiet",
    "reopened",
)


class Response(Struct, frozen=True):
    """Seconds from the opening until somebody was told, took it, resolved it; None: not yet."""

    told_s: float | None
    taken_s: float | None
    resolved_s: float | None


def response_of(detail: DetailView) -> Response:
    """How fast people were. What counts as told is what a channel accepted."""
    opened = detail.incident.opened_at
    sent = [one.finished_at for one in detail.notifications if one.state == "sent" and one.finished_at]

    def since(at: datetime | None) -> float | None:
        return None if at is None else max(0.0, (at - opened).total_seconds())

    return Response(
        since(min(sent, default=None)), since(detail.incident.acknowledged_at), since(detail.incident.resolved_at)
    )


class Line(Struct, frozen=True):
    """A line of the timeline as it is printed; `switch_time` None: it has none, or is of several."""

    at: datetime
    said: str
    by: str
    note: str
    switch_time: datetime | None


class Story:
    """The sentences and the moments of one report."""

    def __init__(self, text: Text, words: Words, detail: DetailView, impact: Impact, now: datetime) -> None:
        self._text = text
        self._words = words
        self._detail = detail
        self._impact = impact
        self._now = now

    def sentences(self) -> list[str]:
        """What happened, whom it touched, what people did."""
        return [*self._held(), *self._touched(), *self._responded()]

    def marks(self) -> list[Mark]:
        """The moments of the response, at most MOST_MARKS; the last ones are the newest."""
        found = [self._mark(entry) for entry in self._detail.timeline if entry.kind in _TOLD_OF]
        if len(found) <= MOST_MARKS:
            return found
        kept = [*found[: MOST_MARKS // 2], *found[-(MOST_MARKS // 2 - 1) :]]
        left = found[MOST_MARKS // 2]
        kept.insert(MOST_MARKS // 2, Mark(left.at, self._words.say("m.more", n=len(found) - len(kept))))
        return kept

    def lines(self) -> list[Line]:
        """The timeline, flags that come or end one after the other as one line: a storm of them is not a page of the same."""
        found: list[Line] = []
        for machine, run in groupby(self._detail.timeline, key=lambda one: one.kind in _FLAGS_ALONE):
            entries = list(run)
            if machine and len(entries) > MOST_ALIKE:
                found.append(self._together(entries))
            else:
                found += [Line(one.at, self.happened(one), one.by, one.note, one.switch_time) for one in entries]
        return found

    def _together(self, entries: list[EntryView]) -> Line:
        kinds = {one.kind for one in entries}
        kind = kinds.pop() if len(kinds) == 1 else "both"
        until = self._text.local(entries[-1].at, self._detail.incident.site)[11:19]
        said = self._words.say(f"entry.{kind}.many", n=len(entries), to=until)
        return Line(entries[0].at, said, entries[0].by, "", None)

    def happened(self, entry: EntryView) -> str:
        """A line of the timeline in words, with what its data says."""
        words, data = self._words, entry.data
        said = words.get(f"entry.{entry.kind}", entry.kind)
        if entry.kind == "told":
            reason = words.get(f"reason.{data.get('reason')}", str(data.get("reason", "")))
            to = words["comma"].join(map(str, data.get("receivers") or [])) or "–"
            return f"{said} ({reason}) → {to}"
        if entry.kind == "assigned":
            return f"{said} → {data.get('to', '')}"
        if entry.kind == "raised":
            return f"{said}: {words.get('severity.' + str(data.get('to')), '')}"
        if entry.kind in ("held", "released"):
            kind, _, number = str(data.get("by", "")).partition(" ")
            holder = words.get(f"holder.{kind}", kind + " {n}").format(n=number)
            return f"{said} ({holder.strip()})"
        if entry.kind == "resolved" and data.get("cause"):  # the incident itself forgets it when it reopens
            return f"{said} ({data['cause']})"
        if entry.kind == "rechecked":
            return f"{said}: {words['rechecked.ok' if data.get('ok', True) else 'rechecked.not']}"
        return said

    def _held(self) -> Iterator[str]:
        words, impact, incident = self._words, self._impact, self._detail.incident
        values = {
            "from": self._text.local(incident.started, incident.site)[:19],
            "to": self._text.local(incident.ended, incident.site)[:19] if incident.ended else "",
            "lasted": words.duration(impact.lasted_s),
            "held": words.duration(impact.held_s),
            "flags": words.count(impact.flags, "flag"),
        }
        if incident.condition == "unknown":
            yield words.say("s.unknown", **values)
        elif impact.flags > 1:
            yield words.say("s.were" if incident.ended else "s.are", **values)
        else:
            yield words.say("s.was" if incident.ended else "s.is", **values)
        if impact.flags > 1 and impact.open_ended and incident.condition != "active":
            yield words.say("s.open_ended", n=words.count(impact.open_ended, "flag"))

    def _touched(self) -> Iterator[str]:
        words, impact = self._words, self._impact
        counts = {
            "call": len(impact.calls),
            "customer": impact.customers,
            "transfer": impact.transfers,
            "agent": len(impact.agents),
            "queue": len(impact.queues),
        }
        parts = [words.count(number, what) for what, number in counts.items() if number]
        if parts:
            yield words.say("s.touched", what=words.listed(parts))
        if impact.unheard_s:
            yield words.say("s.unheard", seconds=words.duration(impact.unheard_s))

    def _responded(self) -> Iterator[str]:
        words, incident, response = self._words, self._detail.incident, response_of(self._detail)
        if response.told_s is not None:
            yield words.say("s.told", after=words.duration(response.told_s))
        else:
            yield words.say("s.told.nobody", why=self._why_nobody())
        if response.taken_s is not None:
            yield words.say("s.taken", owner=incident.owner, after=words.duration(response.taken_s))
        elif incident.state == "open":
            age = (self._now - incident.opened_at).total_seconds()
            yield words.say("s.untaken", age=words.duration(max(0.0, age)))
        if incident.state != "resolved":
            if incident.state == "acknowledged":
                yield words["s.unresolved"]
        elif incident.cause == "quiet":
            yield words["s.quiet"]
        else:
            yield words.say("s.resolved", who=incident.resolver, after=words.duration(response.resolved_s or 0.0))
        escalated = sum(one.kind == "told" and one.data.get("reason") == "escalated" for one in self._detail.timeline)
        if escalated:
            yield words.say("s.escalated", n=words.count(escalated, "time"))
        if incident.openings > 1:
            yield words.say("s.returned", n=words.count(incident.openings - 1, "time"))

    def _why_nobody(self) -> str:
        states = {one.state for one in self._detail.notifications}
        for state in ("waiting", "failed", "withheld", "no_channel"):
            if state in states:
                return self._words[f"sent.{state}"]
        return self._words["sent.no_channel"]

    def _mark(self, entry: EntryView) -> Mark:
        words, data = self._words, entry.data
        reason = words.get(f"reason.{data.get('reason')}", str(data.get("reason", "")))
        said = words.say(f"m.{entry.kind}", by=entry.by, to=data.get("to", ""), reason=reason)
        time = self._text.local(entry.at, self._detail.incident.site)[11:19]
        return Mark(entry.at, f"{time} {said}", _TONES.get(entry.kind, "#56606d"))
