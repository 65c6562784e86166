"""Whether sites are heard, monitors keep up with them, and their records can be read: judged from the broker's stamps. Pure.

The shell says what it saw (`heard`, `progress`, `letter`), that it saw all there is (`looked`), or nothing (`blind`).
`judged` then answers what holds.

- **Stamps are the broker's, `now` is ours.** A record that arrived between two looks arrived between them, whatever its stamp
  says: it is cut to that time, so a broker's clock that is ahead or behind makes no silence and hides none.
- **Our own blindness is nobody's silence.** While nothing can be seen nothing is judged, and a site has its whole time again from
  the moment at which we see again.
- **Sites that fall silent together are one trouble** (`commonsilence`), about no site. None of them is silent for itself
  meanwhile; what is left when that is over has its whole time again.
- **Monitors are judged by stamps alone**: what they have read against what there is, both stamped by the broker.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from services.alerts.core.commonsilence import COMMON, Quiet, fallen, holds, still_silent
from services.alerts.core.own import OURSELVES, OwnFlag

SiteState = Literal["ok", "silent", "never_heard", "unknown"]

SILENT: Final = "site_silent"
BEHIND: Final = "site_behind"
LETTERS: Final = "dead_letters_growing"
RULES: Final = (SILENT, BEHIND, LETTERS, *COMMON)

MOST_SITES: Final = 1000  # beside those that are configured; names are what records' keys say
MOST_STAMPS: Final = 900  # of a partition: those of a quarter of an hour
MOST_LETTERS: Final = 5000  # of a site that are remembered
OWN_GAP: Final = timedelta(seconds=15)  # between two looks: we were stopped, and so may have been whoever writes


class Limits(Struct, frozen=True, kw_only=True):
    """From when on each is trouble. `never_heard` None: a configured site that was never heard is shown, and no trouble."""

    silent_after: timedelta = timedelta(seconds=30)
    never_heard: timedelta | None = timedelta(hours=1)
    lag: timedelta = timedelta(seconds=30)
    letters: int = 20
    within: timedelta = timedelta(minutes=5)


class Trouble(Struct, frozen=True, kw_only=True):
    """Something that holds. `raised`: when it became trouble, which is when its limit was passed, not when that was noticed."""

    rule: str
    site: str
    started: datetime
    raised: datetime
    evidence: dict[str, Any] = {}

    @property
    def about(self) -> tuple[str, str]:
        return self.rule, self.site


class SiteHealth(Struct, frozen=True, kw_only=True):
    """A site as it stands. `clock_off_s`: how far the broker's stamps are ahead of our clock; negative: behind."""

    site: str
    state: SiteState
    heard_at: datetime | None
    silent_for_s: float | None
    lag_s: float | None
    dead_letters_recent: int
    clock_off_s: float = 0.0


class _Site(Struct):
    heard: datetime | None = None
    partition: int | None = None
    off_s: float = 0.0


class _Progress(Struct):
    """The furthest of any monitor in a partition: the next record to read, when it said so, that record's stamp once known."""

    offset: int
    said: datetime
    unread: datetime | None = None


class Stamps:
    """When the records of a partition were written, by offset: one for each look."""

    def __init__(self) -> None:
        self._offsets: deque[int] = deque(maxlen=MOST_STAMPS)
        self._written: deque[datetime] = deque(maxlen=MOST_STAMPS)

    def note(self, offset: int, stamp: datetime) -> None:
        if not self._offsets or offset > self._offsets[-1]:
            self._offsets.append(offset)
            self._written.append(stamp)

    def knows(self, offset: int) -> bool:
        """Whether it can tell when `offset` was written."""
        return bool(self._offsets) and offset >= self._offsets[0]

    def first_from(self, offset: int) -> datetime | None:
        """The stamp of the first noted record from `offset` on; None: there is none."""
        index = bisect_left(self._offsets, offset)
        return self._written[index] if index < len(self._written) else None

    @property
    def newest(self) -> datetime | None:
        return self._written[-1] if self._written else None


class Health:
    """All sites. `limits_of`: by site, asked anew each time; `configured`: those to be expected."""

    def __init__(self, limits_of: Callable[[str], Limits], configured: Iterable[str] = ()) -> None:
        self._limits_of = limits_of
        self._configured = {site for site in configured if site != OURSELVES}
        self._sites: dict[str, _Site] = {site: _Site() for site in sorted(self._configured)}
        self._stamps: dict[int, Stamps] = {}
        self._progress: dict[int, _Progress] = {}
        self._letters: dict[str, OrderedDict[str, tuple[datetime, str]]] = {}
        self._sight: datetime | None = None  # since when we see
        self._first_sight: datetime | None = None
        self._looked: datetime | None = None
        self._standing: dict[tuple[str, str], Trouble] = {}
        self._together: frozenset[str] = frozenset()  # sites that are silent in common
        self._spared: dict[str, datetime] = {}  # since when a site has its whole time again

    # ------------------------------------------------------------ what was seen

    def restore(self, heard: dict[str, datetime], flags: Iterable[OwnFlag]) -> None:
        """What was known before a restart: when sites were heard, and the flags of ours that stand."""
        self._hear(heard)
        self.adopt(flags)

    def adopt(self, flags: Iterable[OwnFlag]) -> None:
        """The flags of ours that stand, whichever instance raised them: they are over only when what they say is."""
        for flag in flags:
            if flag.rule in RULES:
                trouble = Trouble(rule=flag.rule, site=flag.site, started=flag.started, raised=flag.started)
                self._standing.setdefault(trouble.about, trouble)
                self._site(flag.site)

    def _hear(self, heard: dict[str, datetime]) -> None:
        for site, at in heard.items():
            known = self._site(site)
            if known is not None and (known.heard is None or at > known.heard):
                known.heard = at

    def heard(self, site: str, partition: int, offset: int, stamp: datetime, now: datetime) -> None:
        """A record of `site` in `floor.events`, read `now`. After a look it came since then, before the first at any time."""
        self._follow(now)
        self._stamps.setdefault(partition, Stamps()).note(offset, stamp)
        known = self._site(site)
        if known is None:
            return
        at = self._placed(stamp, now)
        known.partition = partition
        known.off_s = (stamp - at).total_seconds()
        known.heard = at if known.heard is None else max(known.heard, at)

    def remembers(self, partition: int, offset: int) -> bool:
        """Whether it is known when the record at `offset` was written; else `progress` wants to be told."""
        known = self._stamps.get(partition)
        return known is not None and known.knows(offset)

    def progress(self, partition: int, offset: int, said: datetime, unread: datetime | None = None) -> None:
        """A monitor said, stamped `said`, that `offset` is what it reads next; `unread` is its stamp where we do not remember it.

        Of several monitors the furthest counts.
        """
        known = self._progress.get(partition)
        if known is None or offset > known.offset:
            self._progress[partition] = _Progress(offset, said, unread)
        elif offset == known.offset:
            known.said = max(known.said, said)

    def letter(self, site: str, place: str, reason: str, stamp: datetime, now: datetime) -> None:
        """A dead letter; `place` is where the record was, the same for whoever refused it: replicas each write one."""
        self._follow(now)
        whose = site if site in self._sites else OURSELVES  # a name that no site has is made up, or garbage
        letters = self._letters.setdefault(whose, OrderedDict())
        if place not in letters:
            letters[place] = (self._placed(stamp, now), reason)
            if len(letters) > MOST_LETTERS:
                letters.popitem(last=False)

    def looked(self, now: datetime) -> None:
        """All that there is was looked at."""
        self._follow(now)
        if self._looked is None or any(one.started > now + OWN_GAP for one in self._standing.values()):
            # set back while nothing was seen, or before a restart: nobody knows by how much
            self._move(lambda at: now if at > now + OWN_GAP else at)
        if self._looked is None or now - self._looked > OWN_GAP:
            self._sight = now
        self._first_sight = self._first_sight or now
        self._looked = now

    def blind(self) -> None:
        """Nothing can be seen until the next look."""
        self._looked = None

    def forget_log(self) -> None:
        """The broker's log may be another one: offsets and what monitors said of them mean nothing any more."""
        self._stamps.clear()
        self._progress.clear()

    # ------------------------------------------------------------ what follows

    @property
    def sees(self) -> bool:
        return self._looked is not None

    @property
    def known(self) -> dict[str, datetime]:
        """When each site was heard last."""
        return {site: one.heard for site, one in self._sites.items() if one.heard is not None}

    def overdue(self, now: datetime) -> bool:
        """Whether a site that is not said to be silent was not seen for a third of its time: then nothing must be passed over."""
        return any(
            one.heard is not None
            and (SILENT, site) not in self._standing
            and site not in self._together
            and now - self._since(site, one.heard) > self._limits_of(site).silent_after / 3
            for site, one in self._sites.items()
        )

    def judged(self, now: datetime) -> Collection[Trouble]:
        """What holds now; while nothing is seen, what held when something was."""
        if self._looked is None:
            return list(self._standing.values())
        found = self._common(now)
        found += [
            trouble
            for site, one in self._sites.items()
            for trouble in (self._silence(site, one, now), self._lateness(site, one, now))
            if trouble is not None
        ]
        for site in (*self._sites, OURSELVES):
            trouble = self._unreadable(site, now)
            if trouble is not None:
                found.append(trouble)
        # what stood before stands since then, whatever would be said of its beginning now
        self._standing = {one.about: self._standing.get(one.about, one) for one in found}
        return list(self._standing.values())

    def view(self, site: str, now: datetime) -> SiteHealth:
        one = self._sites.get(site, _Site())
        silent = one.heard is not None and now - one.heard > self._limits_of(site).silent_after
        state: SiteState = "ok"
        if one.heard is None:
            state = "never_heard" if self._looked is not None else "unknown"
        elif (SILENT, site) in self._standing or (self._looked is not None and silent):
            state = "silent"
        elif self._looked is None:
            state = "unknown"
        return SiteHealth(
            site=site,
            state=state,
            heard_at=one.heard,
            silent_for_s=None if one.heard is None else max(0.0, (now - one.heard).total_seconds()),
            lag_s=self._lag_s(site, one),
            dead_letters_recent=len(self._recent(site, now)),
            clock_off_s=one.off_s,
        )

    @property
    def sites(self) -> list[str]:
        return sorted(self._sites)

    def _common(self, now: datetime) -> list[Trouble]:
        """The silence that sites have in common: what stands as long as it does, else what has become one now."""
        sites = {
            site: Quiet(one.heard, self._since(site, one.heard), self._limits_of(site).silent_after)
            for site, one in self._sites.items()
            if one.heard is not None and not self._stays_silent(site, one.heard, now)
        }
        before, self._together = self._together, frozenset()
        for rule in COMMON:
            stands = self._standing.get((rule, OURSELVES))
            if stands is None:
                continue
            left = still_silent(stands.started, sites)
            if holds(rule, len(left), len(sites)):
                self._together = frozenset(left)
                return [stands]
            before |= set(left)
        self._spared = {site: at for site, at in self._spared.items() if site in sites and sites[site].heard < at}
        if any((rule, OURSELVES) in self._standing for rule in COMMON):
            self._spared |= dict.fromkeys(before & sites.keys(), now)
            return []
        new = fallen(sites, now)
        if new is None:
            return []
        self._together = frozenset(new.sites)
        evidence = {"sites": list(new.sites), "silent": len(new.sites), "expected": len(sites)}
        return [self._trouble(new.rule, OURSELVES, new.started, new.raised, **evidence)]

    def _stays_silent(self, site: str, heard: datetime, now: datetime) -> bool:
        """Whether it is silent for itself, and was not heard again just now."""
        return (SILENT, site) in self._standing and now - heard > self._limits_of(site).silent_after

    def _silence(self, site: str, one: _Site, now: datetime) -> Trouble | None:
        if site in self._together:
            return None
        limits, stands = self._limits_of(site), (SILENT, site) in self._standing
        if one.heard is not None:
            if now - (one.heard if stands else self._since(site, one.heard)) <= limits.silent_after:
                return None
            raised = self._since(site, one.heard) + limits.silent_after
            return self._trouble(SILENT, site, one.heard, raised, silent_after_s=limits.silent_after.total_seconds())
        if stands:
            return self._standing[SILENT, site] if site in self._configured else None
        since = self._first_sight
        if limits.never_heard is None or since is None or now - since <= limits.never_heard:
            return None
        if site not in self._configured:
            return None
        return self._trouble(SILENT, site, since, since + limits.never_heard, never_heard=True)

    def _lateness(self, site: str, one: _Site, now: datetime) -> Trouble | None:
        limit = self._limits_of(site).lag
        lag = self._lag_s(site, one)
        stands = (BEHIND, site) in self._standing
        if lag is None:
            return self._standing.get((BEHIND, site))
        if lag <= limit.total_seconds() * (0.5 if stands else 1.0):
            return None
        return self._trouble(
            BEHIND, site, now - timedelta(seconds=lag), now, lag_s=round(lag, 1), limit_s=limit.total_seconds()
        )

    def _unreadable(self, site: str, now: datetime) -> Trouble | None:
        limits = self._limits_of(site)
        recent = self._recent(site, now)
        least = (limits.letters + 1) // 2 if (LETTERS, site) in self._standing else limits.letters
        if len(recent) < least:
            return None
        reasons = Counter(reason for _, reason in recent).most_common(5)
        return self._trouble(
            LETTERS,
            site,
            recent[0][0],
            now,
            count=len(recent),
            within_s=limits.within.total_seconds(),
            reasons=dict(reasons),
        )

    def _recent(self, site: str, now: datetime) -> list[tuple[datetime, str]]:
        """The dead letters that count, oldest first; older ones are forgotten."""
        letters = self._letters.get(site)
        if not letters:
            return []
        since = now - self._limits_of(site).within
        while letters and next(iter(letters.values()))[0] < since:
            letters.popitem(last=False)
        return list(letters.values())

    def _lag_s(self, site: str, one: _Site) -> float | None:
        """How long the first record that no monitor has read was there unread; None: none has ever said how far it has read.

        A monitor says it every few seconds, so what it said counts for as long as the limit; then its silence does.
        """
        stamps = None if one.partition is None else self._stamps.get(one.partition)
        progress = None if one.partition is None else self._progress.get(one.partition)
        if stamps is None or progress is None or stamps.newest is None:
            return None
        if progress.unread is None:
            progress.unread = stamps.first_from(progress.offset)
        if progress.unread is None:
            return 0.0
        until = progress.said if stamps.newest - progress.said <= self._limits_of(site).lag else stamps.newest
        return max(0.0, (until - progress.unread).total_seconds())

    def _follow(self, now: datetime) -> None:
        """Move with our clock when it was set back: what lies ahead of it would be silent, or heard again, by as much later."""
        back = timedelta() if self._looked is None else self._looked - now
        if back > OWN_GAP:
            self._move(lambda at: at - back)
            self._looked = now

    def _move(self, moved: Callable[[datetime], datetime]) -> None:
        """Every time by our clock to another one."""
        for one in self._sites.values():
            one.heard = one.heard and moved(one.heard)
        for letters in self._letters.values():
            letters.update({place: (moved(at), reason) for place, (at, reason) in letters.items()})
        self._sight = self._sight and moved(self._sight)
        self._first_sight = self._first_sight and moved(self._first_sight)
        self._spared = {site: moved(at) for site, at in self._spared.items()}
        self._standing = {
            about: msgspec.structs.replace(one, started=moved(one.started)) for about, one in self._standing.items()
        }

    def _since(self, site: str, heard: datetime) -> datetime:
        """From when on its silence counts."""
        return max(heard, self._sight or heard, self._spared.get(site, heard))

    def _placed(self, stamp: datetime, now: datetime) -> datetime:
        """When the record arrived, on our clock."""
        return min(now, stamp if self._looked is None else max(stamp, self._looked))

    def _site(self, site: str) -> _Site | None:
        known = self._sites.get(site)
        if known is None and site and len(self._sites) < MOST_SITES + len(self._configured) and site != OURSELVES:
            known = self._sites[site] = _Site()
        return known

    def _trouble(self, rule: str, site: str, started: datetime, raised: datetime, **evidence: Any) -> Trouble:
        return Trouble(rule=rule, site=site, started=started, raised=raised, evidence=evidence)
