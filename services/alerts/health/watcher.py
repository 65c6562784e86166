"""Watches whether sites are heard and monitors keep up, by itself: a monitor or an ingest that is dead says nothing of it.

Once a second it looks at the ends of the topics (`sight`), and lets `core.sitehealth` judge. What holds becomes a flag of ours,
what holds no more is cleared (`Desk.raise_own`, `clear_own`), so it is an incident like any other. While the broker is away
nothing is said of sites.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from services.alerts.alertfile.live import InForce
from services.alerts.core.incident import Flag
from services.alerts.core.own import OwnFlag
from services.alerts.core.sitehealth import RULES, Health, Limits, SiteHealth, Trouble
from services.alerts.desk import Desk
from services.alerts.health.metrics import HealthMetrics
from services.alerts.health.sight import Sight
from services.alerts.health.store import Heard
from services.alerts.health.words import flag_of
from services.alerts.text import Text
from shared.backoff import Backoff
from shared.bus import Bus
from shared.clock import Clock
from shared.db import Database
from shared.errors import BusError, StoreError
from shared.siteconfig import Sites

log = structlog.get_logger(__name__)

EVERY_S: Final = 1.0
RETRY_S: Final = 2.0
KEEP_EVERY_S: Final = 60.0  # when sites were heard is written down
KNOWN_FOR_S: Final = 30.0  # until it is asked again which flags stand: another instance may have raised some


class Watcher:
    """`reason`: why nothing can be said of sites, "" while something can."""

    def __init__(
        self,
        *,
        bus: Bus,
        database: Database,
        desk: Desk,
        in_force: InForce,
        clock: Clock,
        text: Text,
        sites: Sites,
        registry: CollectorRegistry,
    ) -> None:
        self._bus = bus
        self._database = database
        self._desk = desk
        self._in_force = in_force
        self._clock = clock
        self._text = text
        self._sites = sites
        self._metrics = HealthMetrics(registry, sites.sites)
        self._health = Health(self._limits_of, sites.sites)
        self._known: list[OwnFlag] = []
        self._known_at = self._kept_at = -KEEP_EVERY_S
        self._restored = False
        self.reason = "starting"

    async def run(self) -> None:
        """Until cancelled. Whatever is away is tried again."""
        backoff = Backoff(RETRY_S)
        while True:
            try:
                await self._restore()
                await self._watch()
            except (BusError, StoreError) as exc:
                self._blind(str(exc))
            await self._clock.sleep(backoff.next_s())

    def views(self) -> list[SiteHealth]:
        now = self._clock.now()
        return [self._health.view(site, now) for site in self._health.sites]

    async def _restore(self) -> None:
        if self._restored:
            return
        async with self._database.reading() as session:
            heard = await Heard(session).all()
        self._health.restore(heard, await self._desk.own_flags(RULES))
        self._restored = True

    async def _watch(self) -> None:
        sight = Sight(self._bus, self._clock)
        try:
            self._health.forget_log()
            await sight.open()
            while True:
                await sight.look(self._health)
                if self.reason:
                    log.info("watching over sites", sites=len(self._health.sites))
                    self.reason = ""
                await self._say(self._health.judged(self._clock.now()))
                self._metrics.show(self.views(), sees=True)
                await self._clock.sleep(EVERY_S)
        finally:
            await sight.close()

    async def _say(self, troubles: Collection[Trouble]) -> None:
        """Make the flags that stand those that are meant. A database that is away is tried again with the next look."""
        try:
            await self._agree(troubles)
        except StoreError as exc:
            log.warning("what is wrong with sites cannot be written down", reason=str(exc))

    async def _agree(self, troubles: Collection[Trouble]) -> None:
        now = self._clock.monotonic()
        meant = {one.about: one for one in troubles}
        if now - self._known_at >= KNOWN_FOR_S or meant.keys() != self._standing:
            await self._ask()
            # whatever another instance says of the same moment counts here, too, before anything is added or ended
            self._health.adopt(self._known)
            meant = {one.about: one for one in self._health.judged(self._clock.now())}
        standing = self._standing
        new = [one for about, one in meant.items() if about not in standing]
        over = [one for one in self._known if (one.rule, one.site) not in meant]
        if new or over or now - self._kept_at >= KEEP_EVERY_S:
            async with self._database.unit_of_work() as session:
                await Heard(session).keep(self._health.known)
            self._kept_at = now
        if new:
            await self._desk.raise_own([self._flag(one) for one in new])
        if over:
            at = self._clock.now()
            await self._desk.clear_own([one.cleared(at) for one in over])
        if new or over:
            await self._ask()

    @property
    def _standing(self) -> set[tuple[str, str]]:
        return {(one.rule, one.site) for one in self._known}

    async def _ask(self) -> None:
        self._known = await self._desk.own_flags(RULES)
        self._known_at = self._clock.monotonic()

    def _flag(self, one: Trouble) -> Flag:
        return flag_of(one, lambda site: self._sites.site(site).label, self._text.local(one.started, one.site))

    def _limits_of(self, site: str) -> Limits:
        return self._in_force.alerts.health.of(site)

    def _blind(self, reason: str) -> None:
        if reason != self.reason:
            log.warning("nothing can be said of sites", reason=reason)
        self.reason = reason
        self._health.blind()
        self._metrics.show(self.views(), sees=False)
