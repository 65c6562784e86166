"""`floorwatch publish`: a recorded trace into `switch.raw` at a chosen speed, so that the running system shows it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from floorwatch.sitename import check_site, unknown_site
from floorwatch.traces import Damage, Trace
from services.ingest.links import link_value
from shared import topics
from shared.bus import Bus
from shared.clock import Clock, SystemClock
from shared.errors import BusError, FloorwatchError
from shared.events import LinkDown, LinkUp
from shared.kafka import KafkaBus
from shared.kafkasecurity import in_the_clear
from shared.raw import Raw
from shared.settings import BrokerSettings, CommonSettings, load, variable
from shared.sites import load_sites

CONNECTOR = "replay"
HEARTBEAT_S = 5.0  # as every connector: ingest takes a connector that falls silent for gone
SHOWN_DAMAGES = 20
LOG_BEAT = timedelta(seconds=1)  # of the log's clock: how far the board's clock may be ahead of its events


class Publisher:
    """Writes one trace's records when they are due, between a LinkUp and a LinkDown. `session` names this run."""

    def __init__(self, bus: Bus, clock: Clock, *, vendor: str, site: str, speed: float, as_of_now: bool) -> None:
        self._bus = bus
        self._clock = clock
        self._vendor = vendor
        self._site = site
        self._speed = speed
        self._as_of_now = as_of_now
        self._link = LinkUp(connector=CONNECTOR, switch=f"a recording ({vendor})", replay=True, speed=speed)
        self._session = f"replay-{int(clock.now().timestamp() * 1000):x}"
        self._shift_s = 0.0
        self._seq = 0
        self._beat_at = 0.0
        self.published = 0
        self.recorded: datetime | None = None  # the recording's time, unshifted, of the newest record

    async def run(self, raws: Iterator[Raw]) -> None:
        """Publish every record of `raws` at its time. Also when it is cancelled, the link is said to be down."""
        first = next(raws, None)
        if first is None:
            return
        began, start = self._clock.monotonic(), first.received
        if self._as_of_now:
            self._shift_s = (self._clock.now() - start).total_seconds()
        reason = "the recording was stopped"
        try:
            await self._say(self._link)
            await self._publish(first)
            for raw in raws:
                await self._wait_for(began + (raw.received - start).total_seconds() / self._speed)
                await self._publish(raw)
            reason = "the recording is over"
        finally:
            await self._say(LinkDown(connector=CONNECTOR, reason=reason))
            await self._bus.flush()

    async def _wait_for(self, due: float) -> None:
        """Return at `due`; the link's heartbeat goes on meanwhile."""
        while True:
            now = self._clock.monotonic()
            if now >= self._beat_at:
                await self._say(self._link)
            if now >= due:
                return
            await self._clock.sleep(min(due, self._beat_at) - now)

    async def _publish(self, raw: Raw) -> None:
        await self._send(raw.value, link=False)
        self.recorded = raw.received
        self.published += 1

    async def _say(self, data: LinkUp | LinkDown) -> None:
        """A link record. Without a time: how far the recorded switch's clock was from ours, only its events tell."""
        source = f"/sites/{self._site}/{CONNECTOR}"
        await self._send(link_value(data, id=f"{self._session}-{self._seq}", source=source), link=True)
        self._beat_at = self._clock.monotonic() + HEARTBEAT_S

    async def _send(self, value: bytes, *, link: bool) -> None:
        raw = Raw(
            value=value,
            vendor=self._vendor,
            site=self._site,
            connector=CONNECTOR,
            received=self._clock.now(),
            kind="link" if link else "event",
            session=self._session,
            seq=self._seq,
            shift_s=self._shift_s,
        )
        self._seq += 1
        await self._bus.publish(topics.SWITCH_RAW, value, key=self._site, headers=raw.headers())


async def publish(
    trace: Trace, publisher: Publisher, bus: Bus, vendor: str, site: str, console: Console, time_zone: str = ""
) -> None:
    """Publish the whole trace with a progress bar on `console`. `time_zone`: of a log's clock."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[packets]} packets, at {task.fields[at]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:
        task = progress.add_task(f"{trace.path.name} → {site}", total=trace.total_bytes, packets=0, at="the start")
        showing = asyncio.create_task(_show(progress, task, trace, publisher))
        try:
            await bus.create([topics.SWITCH_RAW])
            raws = trace.raws(site=site, vendor=vendor, connector=CONNECTOR, time_zone=time_zone, beat=LOG_BEAT)
            await publisher.run(raws)
        finally:
            showing.cancel()
            _update(progress, task, trace, publisher)


async def _show(progress: Progress, task: TaskID, trace: Trace, publisher: Publisher) -> None:
    clock = SystemClock()
    while True:
        _update(progress, task, trace, publisher)
        await clock.sleep(0.2)


def _update(progress: Progress, task: TaskID, trace: Trace, publisher: Publisher) -> None:
    at = publisher.recorded.strftime("%H:%M:%S") if publisher.recorded else "the start"
    progress.update(task, completed=trace.read_bytes, packets=publisher.published, at=at)


def of_kafka(settings: CommonSettings) -> CommonSettings:
    """As they are when KAFKA_BOOTSTRAP is set; else for the broker that `floorwatch run` has. Raises SettingsError."""
    if "kafka_bootstrap" in settings.model_fields_set:
        return settings
    return in_the_clear(settings, f"127.0.0.1:{load(BrokerSettings).port}")


def main(file: Path, *, adapter: str, site: str, speed: float, as_of_now: bool) -> None:
    """The command. Raises SettingsError, BusError, and FloorwatchError when the file holds nothing."""
    check_site(site)
    settings = of_kafka(load(CommonSettings))
    sites = load_sites(settings.sites_file, setting=variable(CommonSettings, "sites_file"))
    console = Console(stderr=True)
    if line := unknown_site(site, sites, settings.sites_file):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    shown = 0

    def tell(damage: Damage) -> None:
        nonlocal shown
        shown += 1
        if shown <= SHOWN_DAMAGES:
            told = f"{file}:{damage.line}: passed over: {damage.reason}"
            console.print(told, markup=False, emoji=False, highlight=False, soft_wrap=True)

    async def run(trace: Trace) -> Publisher:
        clock = SystemClock()
        bus = KafkaBus.of(settings)
        publisher = Publisher(bus, clock, vendor=adapter, site=site, speed=speed, as_of_now=as_of_now)
        try:
            await publish(trace, publisher, bus, adapter, site, console, sites.site(site).time_zone)
        finally:
            await bus.close()
        return publisher

    with Trace(file, tell) as trace:
        try:
            publisher = asyncio.run(run(trace))
        except KeyboardInterrupt:
            console.print("stopped; the board shows the link as down")
            sys.exit(130)
        except BusError as exc:
            if not str(exc).startswith("cannot reach"):
                raise
            advice = "is `make run` up? set KAFKA_BOOTSTRAP or BROKER_PORT to where it listens"
            raise BusError(f"{exc}; {advice}") from exc
        if trace.damages:
            console.print(f"{trace.damages} damaged lines were passed over")
    if not publisher.published:
        raise FloorwatchError(f"{file} holds no packet that can be read as {adapter}")
    console.print(f"published {publisher.published} packets to {topics.SWITCH_RAW.name} at {settings.kafka_bootstrap}")
