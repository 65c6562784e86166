"""All of Floorwatch as processes, with people's ends: boards, a webhook, a mail server. A fault does with it what it likes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from shared.bus import Bus
from shared.clock import SystemClock
from shared.errors import BusError
from shared.kafka import KafkaBus
from shared.siteconfig import Sites
from shared.sites import load_sites
from tests.brokers import Broker, Running
from tests.fault.alerting import asked, noon_zone, over_lease
from tests.fault.kit import Service, create_topics, services
from tests.fault.load import Load
from tests.netkit import Proxy, ThroughProxy, proxied
from tests.sinks import HttpSink, MailSink, listening
from tests.soak.boards import Board, boards
from tests.soak.databases import Databases, databases
from tests.soak.setclock import SetClock
from tests.waiting import beside
from tools.servers import free_port

SITES: Final = ("north", "south")  # each on a partition of its own
NAMES: Final = ("ingest", "monitor-a", "monitor-b", "relay", "alerts")
CONNECTOR: Final = "connector"  # has a clock as a service has
MARK: Final = "soak"  # a header that names records which a fault wrote
RULES: Final = """\
rules:
  - {name: slow_transfer, subject: transfer, when: {state: running}, for: 7s, severity: critical, summary: {en: slow, zh: 慢}}
  - {name: failed_handover, subject: transfer, when: {state: failed}, severity: warning, summary: {en: failed, zh: 失败}}
"""
ALERTS: Final = """\
receivers:
  hook: {{webhook: {{url: "{hook}"}}, at_most: {{burst: 5000, every: 1s}}}}
  mail: {{notify: ["{mail}"], template: "{template}", at_most: {{burst: 5000, every: 1s}}}}
  ourselves: {{}}
routes:
  receiver: ourselves
  routes:
    - {{match: {{rule: [slow_transfer, failed_handover]}}, receiver: hook, wait: 0s, repeat: never, continue: true}}
    - {{match: {{rule: [slow_transfer, failed_handover]}}, receiver: mail, wait: 0s, repeat: never}}
"""
TEMPLATE: Final = """\
{% block title %}incident {{ it.number }}{% endblock %}
{% block body %}{{ it.rule }}{% endblock %}
"""


@dataclass
class Stage:
    """What runs. `services` by name; `lease_passes`: when alerts is killed, the two minutes pass at once after which what it
    was sending is sent again."""

    broker: Broker
    folder: Path
    services: dict[str, Service]
    ways: dict[str, Proxy]  # of each service to the broker
    clocks: dict[str, SetClock]  # of each service, and of the connector
    databases: Databases
    boards: list[Board]
    hook: HttpSink
    mail: MailSink
    sites: Sites
    lease_passes: bool = True
    peak_mb: dict[str, float] = field(default_factory=dict)
    late_s: float = 0.0  # how late this process, with boards, ways and load, was for its turn at most
    load: Load | None = None  # once it pours
    spoilt: dict[Hashable, float] = field(default_factory=dict)  # what a fault wrote that nobody can read, and when

    @property
    def monitors(self) -> list[Service]:
        return [one for one in self.services.values() if one.kind == "monitor"]

    @property
    def database(self) -> str:
        """Of alerts."""
        return self.databases.url("alerts")

    def spoil(self, where: str) -> str:
        """A name for a record that nobody can read, which is due as a dead letter from now on."""
        name = f"{where}/{len(self.spoilt)}"
        self.spoilt[MARK, name] = self.load.now_s() if self.load is not None else 0.0
        return name

    def not_right(self, now: float, limit_s: float) -> list[str]:
        """Which boards do not show the floor as of less than `limit_s` ago."""
        return [f"board {board.name}" for board in self.boards if not board.right(now, limit_s)]

    async def not_ready(self) -> list[str]:
        """Which services are not ready, and why."""
        found = await asyncio.gather(*(one.readiness() for one in self.services.values()))
        return [f"{name}: {why}" for name, why in zip(self.services, found, strict=True) if why]

    async def kill(self, names: Iterable[str]) -> None:
        """SIGKILL to all of them at once."""
        chosen = [self.services[name] for name in names]
        await asyncio.gather(*(one.kill() for one in chosen))
        if self.lease_passes and any(one.kind == "alerts" for one in chosen):
            async with asked(self.database) as database:
                await over_lease(database)

    async def spawn(self, names: Iterable[str]) -> None:
        for name in names:
            await self.services[name].spawn()

    def weigh(self) -> None:
        """Keep the largest resident memory of each service."""
        for name, one in self.services.items():
            if one.process is not None and one.process.returncode is None:
                with contextlib.suppress(OSError, IndexError):  # it ends just now
                    self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), one.resident_mb())


@contextlib.asynccontextmanager
async def stage(
    broker: Broker, folder: Path, *, seed: int, lease_passes: bool, database: str = "sqlite", small_disk: bool = False
) -> AsyncIterator[Stage]:
    """Everything runs and is ready; gone at the end, however that comes. Raises Unavailable for what cannot be had here."""
    await create_topics(broker, partitions=len(SITES))
    hook, mail = HttpSink(), MailSink()
    async with (
        listening(hook),
        listening(mail),
        _ways(broker, seed) as ways,
        databases(database, folder, small=small_disk) as there,
    ):
        to = {name: ThroughProxy(way, idempotent=broker.idempotent) for name, way in ways.items()}
        clocks = {name: SetClock(folder / f"{name}.clock") for name in (*NAMES, CONNECTOR)}
        them = _services(to, folder, there)
        for name, one in them.items():
            one.command = ["-m", "tests.soak.setclock", str(clocks[name].file), *one.command[1:]]
        _configure(folder, hook, mail)
        monitors = [one for one in them.values() if one.kind == "monitor"]
        watching = boards(monitors, Random(f"{seed}/boards"))
        sites = load_sites(folder / "sites.yaml")
        made = Stage(broker, folder, them, ways, clocks, there, watching, hook, mail, sites, lease_passes)
        async with services(*them.values()), beside(*(board.watch() for board in watching)):
            yield made


@contextlib.asynccontextmanager
async def _ways(broker: Broker, seed: int) -> AsyncIterator[dict[str, Proxy]]:
    """A way to the broker for each service, which a fault may break."""
    port = int(broker.bootstrap.rpartition(":")[2])
    async with contextlib.AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(proxied(port, seed=seed + number, stands_for=port))
            for number, name in enumerate(NAMES)
        }


def _services(to: Mapping[str, Running], folder: Path, there: Databases) -> dict[str, Service]:
    of_monitors = {"db_url": there.url("monitor"), "rules_file": folder / "rules.yaml", "checkpoint_s": 2}
    of_alerts = {"db_url": there.url("alerts"), "file": folder / "alerts.yaml"}
    return {
        "ingest": Service("ingest", to["ingest"], folder, checkpoint_s=2),
        "monitor-a": Service("monitor", to["monitor-a"], folder, name="a", **of_monitors),
        "monitor-b": Service("monitor", to["monitor-b"], folder, name="b", **of_monitors),
        "relay": Service("relay", to["relay"], folder, media_port=free_port()),
        "alerts": Service("alerts", to["alerts"], folder, **of_alerts),
    }


def _configure(folder: Path, hook: HttpSink, mail: MailSink) -> None:
    (folder / "rules.yaml").write_text(RULES)
    template = folder / "mail.txt"
    template.write_text(TEMPLATE)
    (folder / "alerts.yaml").write_text(ALERTS.format(hook=f"{hook.web}/", mail=mail.url, template=template))
    # a run that passes midnight would begin the day's figures anew
    (folder / "sites.yaml").write_text(f"defaults: {{time_zone: {noon_zone(SystemClock().now())}}}\n")


@contextlib.asynccontextmanager
async def connected(broker: Broker) -> AsyncIterator[Bus]:
    """A connection to the broker."""
    bus = KafkaBus(broker.bootstrap, idempotent=broker.idempotent, request_timeout_s=5)
    try:
        yield bus
    finally:
        with contextlib.suppress(BusError):
            await bus.close()
