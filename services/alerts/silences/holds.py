"""What holds incidents back now, as each instance has it in memory, and who has to be looked at again because of it.

The silences are read anew whenever the version in the database is another than that in memory, and whoever decides about
incidents asks for it first, in the same transaction, with a lock that everybody who changes incidents or silences takes. So
nobody ever decides by a silence that is no more or without one that is there, whichever instance made it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from services.alerts.alertfile.live import InForce
from services.alerts.core.incident import Incident
from services.alerts.core.inhibition import Inhibition, hidden_by
from services.alerts.core.labels import Labels, fits
from services.alerts.core.silences import Silence, holding, next_change
from services.alerts.silences.repository import Silences, Wake, look_now, sources, unresolved


class Hold(Struct, frozen=True):
    """Everything that can hold incidents at some time. `standing`: those that could hide others, by number."""

    silences: tuple[Silence, ...] = ()
    inhibitions: tuple[Inhibition, ...] = ()
    standing: dict[int, Labels] = {}

    def by(self, incident: Incident, now: datetime) -> str:
        """What holds it, as `Incident.held`: a silence or a window first."""
        return self.of(incident.id, incident.all_labels, now)

    def of(self, number: int, labels: Labels, now: datetime) -> str:
        silence = holding(self.silences, labels, now)
        if silence is not None:
            return f"{silence.kind} {silence.id}"
        source = hidden_by(self.inhibitions, number, labels, self.standing.items()) if self.standing else None
        return "" if source is None else f"incident {source}"

    def until(self, held: str) -> datetime | None:
        """When the silence ends that `held` names; None: it names none."""
        return next((one.ends for one in self.silences if f"{one.kind} {one.id}" == held), None)

    def with_changed(self, incidents: Iterable[Incident]) -> Hold:
        """The same after these changed."""
        if not self.inhibitions:
            return self
        standing = dict(self.standing)
        for one in incidents:
            labels = one.all_labels
            if one.active and any(fits(inhibition.source, labels) for inhibition in self.inhibitions):
                standing[one.id] = labels
            else:
                standing.pop(one.id, None)
        return Hold(self.silences, self.inhibitions, standing)


class Holds:
    """The silences that are not over, in memory, and the inhibitions of the file.

    Several tasks of a process ask at once, some without the lock. Who waits for the database meanwhile keeps to what he read
    himself, and writes nothing down that another has replaced: an ended silence under the newest version would be believed
    until the next change.
    """

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force
        self._known: tuple[int, tuple[Silence, ...]] = (-1, ())  # a version, and the silences of it
        self._last = -1
        self._untold = False  # the pages do not know yet that the silences are others
        self._swept: tuple[datetime, tuple[Inhibition, ...]] | None = None
        self.last = Hold()  # as last known: for showing, never for deciding

    async def at(self, session: AsyncSession, version: int, now: datetime) -> Hold:
        """What holds incidents, true until this unit of work ends if `version` was read for change."""
        silences = await self._of(session, version, now)
        inhibitions = self._inhibitions
        standing = await sources(session, inhibitions)
        self.last = Hold(silences, inhibitions, standing)
        return self.last

    async def refresh(self, session: AsyncSession, woken: Wake, now: datetime) -> bool:
        """Bring what is shown up to date with other instances; whether the silences are others than when last asked."""
        await self._of(session, woken.version, now)
        if woken.last != self._last:
            inhibitions = self._inhibitions
            standing = await sources(session, inhibitions)
            self._last = woken.last  # now only: the database may have gone away, and is asked again then
            self.last = Hold(self._known[1], inhibitions, standing)
        others, self._untold = self._untold, False
        return others

    async def _of(self, session: AsyncSession, version: int, now: datetime) -> tuple[Silence, ...]:
        """The silences of this version, read anew if they are others than in memory."""
        before = self._known
        if version == before[0]:
            return before[1]
        silences = await Silences(session).not_over(now)
        if self._known is before:
            self._known = (version, silences)
            self._untold = True
            self.last = Hold(silences, self.last.inhibitions, self.last.standing)
        return silences

    async def pull(self, session: AsyncSession, hold: Hold, now: datetime) -> int:
        """Have every incident looked at that is held by something else than it says; how many."""
        found = [number for number, held, labels in await unresolved(session) if hold.of(number, labels, now) != held]
        await look_now(session, found, now)
        return len(found)

    def pulled(self, hold: Hold, now: datetime) -> None:
        """All incidents were compared with `hold` at that time, and it is committed."""
        self._swept = (now, hold.inhibitions)

    def pull_due(self, now: datetime) -> bool:
        """Whether a silence began or ended, or the file changed, since all incidents were compared last."""
        if self._swept is None:
            return True
        at, inhibitions = self._swept
        if at > now:  # the clock was set back, and what begins or ends until then would be passed over
            return True
        change = next_change(self._known[1], at)
        return inhibitions != self._inhibitions or (change is not None and change <= now)

    def next_change(self, now: datetime) -> datetime | None:
        """When a silence begins or ends next."""
        return next_change(self._known[1], now)

    @property
    def _inhibitions(self) -> tuple[Inhibition, ...]:
        return self._in_force.alerts.handling.inhibitions
