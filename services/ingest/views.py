"""What the API shows of ingest."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.ingest.marks import Link, SiteClock
from services.ingest.pipeline import IngestMachine, Source
from shared.clock import from_epoch

LinkState = Literal["up", "silent", "down", "never"]


class SourceView(BaseModel):
    """One connector of one site."""

    site: str
    vendor: str
    connector: str
    session: str
    link: LinkState = Field(
        description="never: no link_up was sent. silent: its heartbeat stopped without a word, its data is old"
    )
    link_since: datetime | None = Field(description="when the link went up or down, by the switch's clock")
    link_reason: str
    switch: str = Field(description="what the switch says it is")
    simulated: bool
    replay: bool
    speed: float = Field(description="seconds of switch time in one of ours")
    last_received: datetime | None = Field(description="our clock")
    age_s: float | None = Field(description="seconds since last_received")
    switch_time: datetime | None = Field(description="time of the newest event, by the switch's clock")
    skew_s: float | None = Field(description="our clock minus the switch's; null while unknown or when speed is not 1")
    clock_jumps: int = Field(description="times the site's clock was set")
    restamped: int = Field(description="events of the site whose time did not fit its clock and was cut to it")
    received: int = Field(description="records, all of them")
    duplicates: int = Field(description="records and events seen before, dropped")
    gaps: int = Field(description="jumps in the numbers of records or events")
    lost: int = Field(description="records and events missing in those jumps")
    invalid: int = Field(description="records that went to the dead letters")


class Sources(BaseModel):
    """Everything that ever wrote for this ingest."""

    now: datetime
    sources: list[SourceView]


def sources_at(machine: IngestMachine, now: datetime) -> Sources:
    """All sources as of `now`, our clock."""
    return Sources(now=now, sources=[_view(source, machine.clocks.get(source.site), now) for source in machine.sources])


def _view(source: Source, clock: SiteClock | None, now: datetime) -> SourceView:
    link, name = _link_of(source, clock)
    up = link.data if link is not None else None
    speed = up.speed if up is not None else 1.0
    skew = clock.skew_s(now) if clock is not None and speed == 1.0 else None
    return SourceView(
        site=source.site,
        vendor=source.vendor,
        connector=source.connector,
        session=source.session,
        link=_state(link, name, clock, now),
        link_since=None if link is None else from_epoch(link.since / 1e6),
        link_reason="" if link is None else link.reason,
        switch="" if up is None else up.switch,
        simulated=up is not None and up.simulated,
        replay=up is not None and up.replay,
        speed=speed,
        last_received=source.last_received,
        age_s=None if source.last_received is None else max(0.0, (now - source.last_received).total_seconds()),
        switch_time=source.last_switch_time,
        skew_s=None if skew is None else round(skew, 3) + 0.0,  # no -0.0
        clock_jumps=0 if clock is None else clock.jumped,
        restamped=0 if clock is None else clock.restamped,
        received=source.received,
        duplicates=source.duplicates,
        gaps=source.gaps,
        lost=source.lost,
        invalid=source.invalid,
    )


def _link_of(source: Source, clock: SiteClock | None) -> tuple[Link | None, str]:
    """The source's own link; else the site's only one, because records sent over HTTP may name another connector."""
    if clock is None:
        return None, ""
    own = clock.links.get(source.connector)
    if own is not None:
        return own, source.connector
    if len(clock.links) == 1:
        name, link = next(iter(clock.links.items()))
        return link, name
    return None, ""


def _state(link: Link | None, name: str, clock: SiteClock | None, now: datetime) -> LinkState:
    if link is None or clock is None:
        return "never"
    if not link.up:
        return "down"
    return "silent" if clock.is_silent(name, now) else "up"
