"""How sites are, by HTTP. Docstrings are the documentation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from services.alerts.api.parts import Alerts, Reader
from services.alerts.health.watcher import Watcher

router = APIRouter(prefix="/api/v1", tags=["health"])


class SiteHealthView(BaseModel):
    """A site as the alerts service sees it, by itself: it asks neither ingest nor the monitor."""

    site: str
    label: str = Field(description="Its name for people; empty: none is configured")
    time_zone: str = Field(description="In which people at the site read the clock")
    state: Literal["ok", "silent", "never_heard", "unknown"] = Field(
        description="never_heard: in the sites file and never heard. unknown: nothing can be seen now, see `watching`"
    )
    heard_at: datetime | None = Field(description="When its newest record came, on the service's clock; null: never")
    silent_for_s: float | None = Field(description="Seconds since then")
    lag_s: float | None = Field(description="Seconds that monitors are behind; null: none has said how far it has read")
    dead_letters_recent: int = Field(description="Records of it that nobody could read, within the time that counts")
    clock_off_s: float = Field(description="Seconds that the broker's stamps are ahead of the service's clock")


class SitesHealthView(BaseModel):
    """Those sites that the asking person may see."""

    watching: bool = Field(description="false: the broker or the database is away, so nothing can be said of sites")
    reason: str = Field(description="why not; empty while watching")
    now: datetime = Field(description="Wall clock of the service")
    sites: list[SiteHealthView]


def _watcher(request: Request) -> Watcher:
    found: Watcher = request.app.state.health
    return found


@router.get("/health/sites")
async def sites_health(who: Reader, alerts: Alerts, watcher: Annotated[Watcher, Depends(_watcher)]) -> SitesHealthView:
    """Whether each site is heard, how far monitors are behind it, and how many of its records could not be read."""
    sites = alerts.text.sites
    return SitesHealthView(
        watching=not watcher.reason,
        reason=watcher.reason,
        now=alerts.clock.now(),
        sites=[
            SiteHealthView(
                site=one.site,
                label=sites.site(one.site).label if one.site in sites.sites else "",
                time_zone=sites.site(one.site).time_zone,
                state=one.state,
                heard_at=one.heard_at,
                silent_for_s=one.silent_for_s,
                lag_s=one.lag_s,
                dead_letters_recent=one.dead_letters_recent,
                clock_off_s=one.clock_off_s,
            )
            for one in watcher.views()
            if who.scope.site(one.site)
        ],
    )
