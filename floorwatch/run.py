"""`floorwatch run`: the whole of Floorwatch on this machine, under one supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from floorwatch import signin
from floorwatch.processes import Program, http_ready
from floorwatch.runlock import locked
from floorwatch.supervisor import Stage, Supervisor
from shared import topics
from shared.authenticator import policy_of
from shared.clock import Clock, SystemClock
from shared.ending import WITHIN_S, time_to_end
from shared.errors import BusError, SettingsError
from shared.exposure import check_exposed
from shared.kafkasecurity import IN_THE_CLEAR, in_the_clear, security_of
from shared.ports import listen
from shared.settings import (
    ROOT,
    AlertsSettings,
    AsteriskSettings,
    BrokerSettings,
    CommonSettings,
    IngestSettings,
    MonitorSettings,
    RelaySettings,
    ServiceSettings,
    SimulatorSettings,
    given,
    load,
    misspelled,
    variable,
)
from shared.sites import load_sites
from shared.tls import ServerTls

BrokerKind = Literal["embedded", "kafka"]


@dataclass(frozen=True)
class Floor:
    """Everything that `run` starts, checked before anything is."""

    broker: BrokerKind
    broker_port: int
    bootstrap: str
    kafka: CommonSettings  # how to reach the broker
    ingest: IngestSettings
    monitors: tuple[MonitorSettings, ...]  # replicas: the first has the port that is set
    alerts: AlertsSettings
    relay: RelaySettings
    simulator: SimulatorSettings | None
    asterisk: AsteriskSettings | None
    run_dir: Path


def use_demo_users() -> None:
    """Have every process know the made-up users. Raises SettingsError where others are set up."""
    name = variable(MonitorSettings, "users_file")
    if os.environ.get(name):
        raise SettingsError(f"--demo-users: {name} names the users already; take one of the two")
    os.environ[name] = str(ROOT / "deploy" / "users.demo.yaml")


_APART = 10  # between the ports of replicas; the next ones are those of ingest and alerts


def plan(
    *, broker: BrokerKind, simulator: bool, speed: float | None, seed: int | None, monitors: int | None = None
) -> Floor:
    """Read every setting of every service. Raises SettingsError naming all that are wrong."""
    given = {key: value for key, value in (("speed", speed), ("seed", seed)) if value is not None}
    broker_settings = load(BrokerSettings, **({} if monitors is None else {"monitors": monitors}))
    ingest, monitor, alerts = load(IngestSettings), load(MonitorSettings), load(AlertsSettings)
    relay = load(RelaySettings)
    for one in (ingest, monitor, alerts, relay):
        check_exposed(one)
    _check_files(monitor)
    _check_transport(ingest, broker)
    bootstrap = ingest.kafka_bootstrap if broker == "kafka" else f"127.0.0.1:{broker_settings.port}"
    return Floor(
        broker=broker,
        broker_port=broker_settings.port,
        bootstrap=bootstrap,
        kafka=ingest if broker == "kafka" else in_the_clear(ingest, bootstrap),
        ingest=ingest,
        monitors=tuple(_replica(monitor, number) for number in range(broker_settings.monitors)),
        alerts=alerts,
        relay=relay,
        simulator=load(SimulatorSettings, **given) if simulator else None,
        asterisk=_asterisk(),
        run_dir=broker_settings.run_dir,
    )


def _check_files(monitor: MonitorSettings) -> None:
    """Whoever needs a file checks it, too; but a wrong one is to be told of before anything starts. Raises SettingsError."""
    from services.monitor.desk.reasons import load_reasons
    from services.monitor.rulefile import load_rulebook

    signin.users_of(monitor)
    if monitor.identified:
        policy_of(monitor, SystemClock())
    load_sites(monitor.sites_file, setting=variable(MonitorSettings, "sites_file"))
    load_rulebook(monitor.rules_file, setting=variable(MonitorSettings, "rules_file"))
    load_reasons(monitor.cases_file, setting=variable(MonitorSettings, "cases_file"))


def _check_transport(settings: ServiceSettings, broker: BrokerKind) -> None:
    """The same of certificates and keys. Raises SettingsError."""
    ServerTls.of(settings)
    if broker == "kafka":
        security_of(settings)


def _asterisk() -> AsteriskSettings | None:
    """The connector to Asterisk switches, where a file names some. Raises SettingsError for what is wrong in that."""
    settings = load(AsteriskSettings)
    if settings.file is None:
        return None
    from services.ingest.connectors.asterisk.config import load_switches

    load_switches(settings.file)
    return settings


def _replica(monitor: MonitorSettings, number: int) -> MonitorSettings:
    """The settings of one of several monitors: a port and a name of its own."""
    if number == 0:
        return monitor
    port = monitor.port + number * _APART
    if port > 65_535:
        raise SettingsError(f"MONITOR_PORT: no port is left for replica {number}: {port} is over 65535")
    return monitor.model_copy(update={"port": port, "name": f"{monitor.name}-{number}"})


def check_ports(floor: Floor) -> None:
    """Raises SettingsError naming every port that cannot be had and the setting that changes it."""
    wanted = [
        (settings.host, settings.port, variable(type(settings), "port"))
        for settings in (floor.monitors[0], floor.ingest, floor.alerts, floor.relay)
    ]
    wanted.append((floor.relay.media_host, floor.relay.media_port, variable(RelaySettings, "media_port")))
    wanted += [
        (monitor.host, monitor.port, f"MONITOR_PORT plus {number * _APART}")
        for number, monitor in enumerate(floor.monitors)
        if number
    ]
    if floor.asterisk is not None:
        wanted.append((floor.asterisk.host, floor.asterisk.port, variable(AsteriskSettings, "port")))
    if floor.broker == "embedded":
        wanted.append(("127.0.0.1", floor.broker_port, variable(BrokerSettings, "port")))
    problems: list[str] = []
    seen: dict[int, str] = {}
    for host, port, setting in wanted:
        if port in seen:
            problems.append(f"{setting} and {seen[port]} are both {port}; set one to another port")
            continue
        seen[port] = setting
        try:
            listen(host, port, setting=setting).close()
        except SettingsError as exc:
            problems.append(str(exc))
    if len(problems) == len(wanted):
        problems.append("that is all of them: Floorwatch is probably running already")
    if problems:
        raise SettingsError("\n".join(problems))


def stages(floor: Floor) -> list[Stage]:
    """The broker and its topics; the services; the simulated floor."""
    found: list[Stage] = []
    if floor.broker == "embedded":
        from floorwatch import broker

        async def broker_ready() -> str | None:
            return None if await broker.answers(floor.broker_port) else "it does not answer yet"

        program = Program("broker", broker.command_of(floor.broker_port), broker_ready)
        found.append(Stage([program], then=lambda: create_topics(floor.kafka), vital=True))
    else:
        found.append(Stage([], then=lambda: create_topics(floor.kafka)))
    env = _environment(floor)
    found.append(
        Stage(
            [
                _service("ingest", "services.ingest.app", floor.ingest, env),
                *_monitors(floor, env),
                _service("alerts", "services.alerts.app", floor.alerts, env),
                _service("relay", "services.monitor.listen.relay", floor.relay, env),
            ]
        )
    )
    if floor.simulator is not None:
        own = {"SIMULATOR_SPEED": str(floor.simulator.speed), "SIMULATOR_SEED": str(floor.simulator.seed)}
        command = _python("services.ingest.connectors.simulator")
        found.append(Stage([Program("simulator", command, env={**env, **own}, ends_within_s=WITHIN_S)]))
    if (
        floor.asterisk is not None
    ):  # not waited for: a switch that cannot be reached must not keep the board from opening
        command = _python("services.ingest.connectors.asterisk")
        found.append(Stage([Program("asterisk", command, env=env, ends_within_s=_time_to_end(floor.asterisk))]))
    return found


def _monitors(floor: Floor, env: Mapping[str, str]) -> list[Program]:
    """Replicas: each runs the engine from the log itself, so none needs to know of the others."""
    return [
        _service(
            "monitor" if number == 0 else f"monitor-{number + 1}",
            "services.monitor.app",
            settings,
            {**env, "MONITOR_PORT": str(settings.port), "MONITOR_NAME": settings.name},
        )
        for number, settings in enumerate(floor.monitors)
    ]


def _environment(floor: Floor) -> dict[str, str]:
    """What the children must hear; settings that somebody made stay as they are."""
    env = {"KAFKA_BOOTSTRAP": floor.bootstrap, "FLOORWATCH_LOG_FORMAT": os.environ.get("FLOORWATCH_LOG_FORMAT", "json")}
    if floor.broker == "kafka":
        env["KAFKA_IDEMPOTENT"] = os.environ.get("KAFKA_IDEMPOTENT", "true")
    else:  # every mark is a record more that the embedded broker keeps and looks through, and it never forgets a checkpoint
        env |= IN_THE_CLEAR
        for name, value in (("INGEST_MARK_S", "0.2"), ("INGEST_CHECKPOINT_S", "15"), ("MONITOR_CHECKPOINT_S", "15")):
            env[name] = os.environ.get(name, value)
    if not given(AlertsSettings, "db_url"):
        env["ALERTS_DB_URL"] = f"sqlite+aiosqlite:///{floor.run_dir / 'alerts.db'}"
    if not given(MonitorSettings, "db_url"):  # one for all replicas
        env["MONITOR_DB_URL"] = f"sqlite+aiosqlite:///{floor.run_dir / 'monitor.db'}"
    if "ALERTS_PUBLIC_URL" not in os.environ:
        env["ALERTS_PUBLIC_URL"] = url_of(floor.alerts).rstrip("/")
    return env


def _python(module: str) -> Sequence[str]:
    return [sys.executable, "-m", module]


def _service(name: str, module: str, settings: ServiceSettings, env: Mapping[str, str]) -> Program:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    ready = http_ready(host, settings.port, tls=settings.tls_cert_file is not None)
    return Program(name, _python(module), ready, env, _time_to_end(settings))


def _time_to_end(settings: ServiceSettings) -> float:
    return time_to_end(settings.drain_s, settings.shutdown_s)


async def create_topics(kafka: CommonSettings) -> None:
    """Create what is missing. Raises BusError."""
    from shared.kafka import KafkaBus

    bus = KafkaBus.of(kafka)
    try:
        await bus.create(topics.ALL)
    finally:
        await bus.close()


def url_of(settings: ServiceSettings) -> str:
    """Where a browser on this machine finds the service."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    scheme = "http" if settings.tls_cert_file is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}/"


def welcome(floor: Floor, seconds: float) -> str:
    """The block that is printed when everything is up."""
    lines = [
        "",
        f"Floorwatch is up after {seconds:.1f} s.",
        "",
        f"  Wallboard     {url_of(floor.monitors[0])}   for floor supervisors: agents, calls, queues, flags, live",
        *(f"                {url_of(monitor)}   the same from a replica of its own" for monitor in floor.monitors[1:]),
        f"  Transfers     {url_of(floor.monitors[0])}transfers   for quality: their legs, those over 7 s on top, a case for each",
        f"  Listen        {url_of(floor.monitors[0])}listen   for inspectors: live calls, one click to hear one",
        f"  Hall          {url_of(floor.monitors[0])}hall   for the screen on the wall",
        f"  Incidents     {url_of(floor.alerts)}   for operations: what went wrong, who has it, reports",
        f"  Connections   {url_of(floor.ingest)}   for integrators: switches, event feed, dead letters",
        f"  Audio relay   {floor.relay.media_host}:{floor.relay.media_port}   for switches: the sound of calls",
        f"  Kafka         {floor.bootstrap}   for `floorwatch publish` and programs that write switch.raw",
        "",
    ]
    if floor.asterisk is not None:
        lines += [
            f"  Asterisk      {url_of(floor.asterisk)}readyz   whether the switches of {floor.asterisk.file} are heard",
            "",
        ]
    if floor.simulator is not None:
        simulator = floor.simulator
        lines += [
            f'  The floor on these pages is SIMULATED (site "{simulator.site}", speed {simulator.speed:g}, '
            f"seed {simulator.seed}): no call is real.",
            "  Without it: make run SIMULATOR=no. Your own switch: README.md, Connect your own switch.",
        ]
    elif floor.asterisk is not None:
        lines += [f"  No simulated floor. The board fills with what the switches of {floor.asterisk.file} say."]
    else:
        lines += [
            "  No simulated floor. The board fills when a switch's events arrive on the topic switch.raw of",
            f"  {floor.bootstrap}; how: README.md, Connect your own switch.",
        ]
    if floor.broker == "embedded":
        lines.append("  The embedded Kafka broker keeps its records in memory: they are gone when this ends.")
    lines += _sign_in(floor.monitors[0])
    lines += ["", f"  Logs: {_short(floor.run_dir / 'logs')}   Stop: Ctrl-C", ""]
    return "\n".join(lines)


def _sign_in(monitor: MonitorSettings) -> list[str]:
    """How one signs in: a login link for every person of the users file, the provider; that nobody has to, without either."""
    if not monitor.identified:
        return [
            "",
            "  Nobody has to sign in: whoever uses this machine may do all of it, and no other machine reaches it.",
            f"  To try it with people who may do different things: {_command()} run --demo-users",
        ]
    found = list(signin.links(monitor, url_of(monitor)))
    provider = ["", f"  People sign in at {monitor.oidc_issuer}."] if monitor.oidc_client_id else []
    if not found:
        return provider
    lines = [*provider, "", "  Sign in by opening your link, once in each browser. A link is as good as a password:"]
    for name, user, link in found:
        lines.append(f"    {name} ({', '.join(user.roles)}; {user.hours:g} h)  {link}")
    assert monitor.users_file is not None  # whose links these are
    command = f"{variable(MonitorSettings, 'users_file')}={_short(monitor.users_file)} {_command()}"
    return [*lines, f"  More of them: {command} login-link USER (for programs: token USER)"]


def _command() -> str:
    """What to type to have this program: in a folder with its own environment `floorwatch` alone is not found."""
    called = Path(sys.argv[0])
    return _short(called) if called.name == "floorwatch" and shutil.which(called.name) is None else "floorwatch"


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def say(line: str) -> None:
    """One line for people, at once; a terminal that has gone away is no reason to stop."""
    with contextlib.suppress(OSError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


async def run(floor: Floor, *, clock: Clock | None = None) -> None:
    """Run until Ctrl-C. Raises SettingsError, BusError or StartFailed when it cannot start."""
    with locked(floor.run_dir):
        await _run(floor, clock or SystemClock())


async def _run(floor: Floor, clock: Clock) -> None:
    begun = clock.monotonic()
    check_ports(floor)
    for name, nearest in misspelled(os.environ).items():
        say(f"{name} is no setting and changes nothing" + (f"; did you mean {nearest}?" if nearest else ""))
    if floor.broker == "kafka":
        say(f"using the Kafka at {floor.bootstrap} (KAFKA_BOOTSTRAP): not started and not stopped from here")
        await _reachable(floor.bootstrap)
    say("starting Floorwatch ...")
    supervisor = Supervisor(stages(floor), log_dir=floor.run_dir / "logs", clock=clock, say=say)
    await supervisor.run(started=lambda: say(welcome(floor, clock.monotonic() - begun)))
    say("stopped; nothing is left running")


async def _reachable(bootstrap: str) -> None:
    """Raises BusError unless one of the addresses takes a connection: clearer than what a client library says."""
    for address in bootstrap.split(","):
        found = urlsplit(f"//{address}")
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection(found.hostname, found.port)
                writer.close()
                return
    raise BusError(
        f"no Kafka answers at {bootstrap}; start one (`make kafka`, in the repository), or set KAFKA_BOOTSTRAP to where yours is"
    )
