"""The command line `floorwatch`. Each command imports what it needs when it runs, so that help is quick."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from floorwatch.alerts import app as alerts_app
from floorwatch.asterisk import app as asterisk_app
from floorwatch.auth import app as auth_app
from floorwatch.auth import login_link, token
from floorwatch.report import report
from floorwatch.topics import topics
from shared.errors import FloorwatchError

app = typer.Typer(
    name="floorwatch",
    help="Watch a call centre floor while it works: a live wallboard, timed transfers, incidents.\n\n"
    "Begin with `floorwatch run`: it starts everything on this machine, with a simulated floor to look at.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
rules_app = typer.Typer(help="Work with rule books.", no_args_is_help=True)
app.add_typer(rules_app, name="rules")
app.add_typer(asterisk_app, name="asterisk")
app.add_typer(alerts_app, name="alerts")
app.add_typer(auth_app, name="auth")
app.command()(report)
app.command()(topics)
audit_app = typer.Typer(help="The audit of listening: who listened to whom.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")


class BrokerChoice(StrEnum):
    embedded = "embedded"
    kafka = "kafka"


class AdapterChoice(StrEnum):
    anonymous_bank = "anonymous_bank"
    asterisk = "asterisk"
    generic = "generic"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"floorwatch {version('floorwatch')}")
        raise typer.Exit


@app.callback()
def _main(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def run(
    simulator: Annotated[bool, typer.Option(help="Start the simulated floor too.")] = True,
    speed: Annotated[
        float | None, typer.Option(help="Seconds of simulated time in one of yours (SIMULATOR_SPEED, default 1).")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Which simulated day; the same seed gives the same day (SIMULATOR_SEED, default 1)."),
    ] = None,
    broker: Annotated[
        BrokerChoice,
        typer.Option(help="embedded: a Kafka broker in memory, for trying out. kafka: yours, at KAFKA_BOOTSTRAP."),
    ] = BrokerChoice.embedded,
    monitors: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=9,
            help="Hot replicas of the monitor, on MONITOR_PORT and every tenth port after it (MONITOR_REPLICAS, default 1).",
        ),
    ] = None,
    demo_users: Annotated[
        bool,
        typer.Option("--demo-users", help="Have people sign in: the made-up ones of deploy/users.demo.yaml, by links."),
    ] = False,
) -> None:
    """Start everything on this machine. Ctrl-C stops it.

    Starts the broker, creates the topics, starts ingest, monitor, alerts and the audio relay, then a simulated floor, and with
    ASTERISK_FILE the connector to its switches. A part that crashes is started again. Logs are in .run/logs. Ports: MONITOR_PORT
    (8600), INGEST_PORT (8601), ALERTS_PORT (8602), RELAY_PORT (8603), RELAY_MEDIA_PORT (8604), ASTERISK_PORT (8605), BROKER_PORT
    (9392). Nobody has to sign in unless AUTH_USERS_FILE, AUTH_OIDC_ISSUER or --demo-users says so; without that no other machine
    reaches it.
    """
    from floorwatch import run as running

    if demo_users:
        running.use_demo_users()
    floor = running.plan(broker=broker.value, simulator=simulator, speed=speed, seed=seed, monitors=monitors)
    asyncio.run(running.run(floor))


TraceFile = Annotated[
    Path,
    typer.Argument(
        exists=True, dir_okay=False, readable=True, help="JSON lines, AMI text or a call log, plain or gzip."
    ),
]
Adapter = Annotated[AdapterChoice, typer.Option(help="Whose events the file holds.")]
Site = Annotated[str, typer.Option(help="The site's name, as in sites.yaml; any name works.")]


@app.command()
def replay(
    file: TraceFile,
    adapter: Adapter,
    site: Site,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, writable=True, help="Where the records go, one JSON object a line.")
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, writable=True, help="Where the figures of the whole recording go, one JSON object."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="What is known of sites: queues with wrap-up time, teams, agents (FLOORWATCH_SITES_FILE)."),
    ] = None,
    rules: Annotated[Path | None, typer.Option(help="The rule book (MONITOR_RULES_FILE).")] = None,
) -> None:
    """Work a recorded trace through, without a broker.

    It goes through adapter, engine and rules as fast as it can. Writes agent intervals, calls, transfers and flags with times
    of the switch, or their figures, or both; then prints a table. A damaged line is reported with its number and passed over.
    """
    from floorwatch import replay as replaying
    from shared.settings import MonitorSettings, load

    settings = load(MonitorSettings)
    replaying.main(
        file,
        adapter=adapter.value,
        site=site,
        config=config or settings.sites_file,
        rules=rules or settings.rules_file,
        out=out,
        summary=summary,
    )


@app.command()
def compare(
    summary: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `floorwatch replay` wrote.")],
    expected: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Figures by the same names, as JSON.")],
    key: Annotated[
        str, typer.Option(help="Where in EXPECTED the figures stand, if not at its top: parts joined by /.")
    ] = "",
) -> None:
    """Compare the figures of a replay with expected ones.

    Prints each figure that differs and how many are equal. Exit code 1 when one differs or is missing on either side.
    """
    from floorwatch import compare as comparing

    found = comparing.compare(comparing.load(summary), comparing.load(expected, key))
    for one in found.differences:
        typer.echo(str(one))
    typer.echo(str(found))
    if not found.equal:
        typer.echo(
            "no figure is the same: are both files of the same kind, and does --key say where the figures stand?",
            err=True,
        )
    if found.differences:
        raise typer.Exit(1)


@app.command()
def publish(
    file: TraceFile,
    adapter: Adapter,
    site: Site,
    speed: Annotated[float, typer.Option(min=0.01, max=1000, help="Seconds of the recording in one of yours.")] = 1.0,
    as_of_now: Annotated[
        bool,
        typer.Option(
            "--as-of-now/--original-times",
            help="Move the recording's times so that it begins now, or leave them as they are.",
        ),
    ] = True,
) -> None:
    """Play a recorded trace into the running system.

    Its board then shows the recording, marked as a replay. Writes the switch's own words to the topic switch.raw of the broker
    at KAFKA_BOOTSTRAP; when that is not set, of the one of `floorwatch run` at BROKER_PORT (9392).
    """
    from floorwatch import publish as publishing

    publishing.main(file, adapter=adapter.value, site=site, speed=speed, as_of_now=as_of_now)


class HowChoice(StrEnum):
    screen = "screen"
    once = "once"
    json = "json"


@app.command()
def watch(
    url: Annotated[
        str, typer.Option(help="The feed.", envvar="FLOORWATCH_FEED_URL", show_default=True)
    ] = "ws://127.0.0.1:8600/api/v1/feed",
    token: Annotated[
        str,
        typer.Option(
            envvar="FLOORWATCH_TOKEN",
            show_default=False,
            help="Who you are, where the monitor asks: `floorwatch token`.",
        ),
    ] = "",
    site: Annotated[list[str] | None, typer.Option(help="Only this site; again for more.")] = None,
    team: Annotated[list[str] | None, typer.Option(help="Only agents of this team.")] = None,
    queue: Annotated[list[str] | None, typer.Option(help="Only this queue, its agents and its calls.")] = None,
    agent: Annotated[list[str] | None, typer.Option(help="Only this agent, as site/id.")] = None,
    agents: Annotated[bool, typer.Option(help="Show agents, too.")] = True,
    how: Annotated[
        HowChoice,
        typer.Option(help="screen: stays current until Ctrl-C. once: one picture. json: every message as a line."),
    ] = HowChoice.screen,
    patience: Annotated[float, typer.Option(min=0.1, help="With once: seconds to wait for the picture.")] = 10.0,
) -> None:
    """Watch a floor in the terminal.

    Follows the monitor's feed: queues, flags, running transfers, agents who need attention first. Comes back by itself after
    a break. A client of your own can do all that this one does: docs/feed.md.
    """
    from floorwatch.watch import command
    from floorwatch.watch.client import Wanted

    channels = () if agents else ("site", "queues", "calls", "flags")
    chosen = {"sites": site, "teams": team, "queues": queue, "agents": agent}
    wanted = Wanted(url, token, channels, {name: tuple(values) for name, values in chosen.items() if values})
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(command.watch(wanted, how.value, agents=agents, patience_s=patience))


@rules_app.command("check")
def rules_check(
    file: Annotated[Path, typer.Argument(help="A rule book, such as deploy/rules.yaml.")],
) -> None:
    """Check a rule book. Prints OK and the number of rules, or the first error with file, line and key (exit code 1)."""
    from services.monitor.rulefile import load_rulebook
    from shared.errors import SettingsError

    try:
        book = load_rulebook(file)
    except SettingsError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from None
    count = len(book.rules)
    names = f": {', '.join(rule.name for rule in book.rules)}" if count else ", so nothing would be watched"
    typer.echo(f"OK: {file} has {count} rule{'' if count == 1 else 's'}{names}")


@rules_app.command("test")
def rules_test(
    file: Annotated[Path, typer.Argument(help="A file of tests, such as deploy/rules.test.yaml.")],
    rules: Annotated[
        Path | None, typer.Option(help="Test this rule book instead of the one that the file names.")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Also say what each test that passes raised.")
    ] = False,
) -> None:
    """Test a rule book.

    A test says what happens on a floor, and what must be raised when. Prints what differs from what was expected, `-` for
    what did not come and `+` for what did instead. Exit code 1 when a test fails, 2 when a file is wrong. The format is in
    docs/rules.md.
    """
    from floorwatch import rulestest

    rulestest.main(file, rules, verbose=verbose)


@rules_app.command("dry-run")
def rules_dry_run(
    rules: Annotated[Path, typer.Argument(help="The rule book to try.")],
    trace: Annotated[Path | None, typer.Option(help="Try it on a recorded trace; wants --adapter and --site.")] = None,
    adapter: Annotated[AdapterChoice | None, typer.Option(help="Whose events the trace holds.")] = None,
    site: Annotated[str | None, typer.Option(help="The trace's site, as in sites.yaml; any name works.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from", help='Or on what the broker holds, written from then on: "2026-03-02 09:00", local time.'
        ),
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="... and up to then; default now.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="Compare with this rule book, such as the one in force: what would change?")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="What is known of sites: teams, tags, targets (FLOORWATCH_SITES_FILE).")
    ] = None,
) -> None:
    """Try a rule book on the past.

    Says what it would have raised, how often a day, for how long. Nothing is published. With --from or --to it reads
    floor.events of the broker at KAFKA_BOOTSTRAP; when that is not set, of the one of `floorwatch run` at BROKER_PORT (9392).
    The floor is rebuilt from the first record that the broker keeps.
    """
    from floorwatch import dryrun

    dryrun.main(
        rules,
        against=against,
        trace=trace,
        adapter=adapter.value if adapter else None,
        site=site,
        since=since,
        until=until,
        config=config,
    )


DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        help="The monitor's database, such as sqlite:///FILE or postgresql://USER@HOST/NAME (MONITOR_DB_URL)."
    ),
]


class FormChoice(StrEnum):
    ndjson = "ndjson"
    csv = "csv"


def _monitor_db(url: str | None) -> str:
    from shared.settings import MonitorSettings, given, load

    settings = load(MonitorSettings)
    if url or given(MonitorSettings, "db_url"):
        return url or settings.db_url.get_secret_value()
    return f"sqlite:///{settings.run_dir / 'monitor.db'}"  # where `floorwatch run` keeps it


@audit_app.command("verify")
def audit_verify(
    db: DatabaseUrl = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(help="ROW:HASH as an earlier run printed it: that row must still be the one that it was."),
    ] = None,
    remember: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="A file out of reach of who writes to the database: expect the end that is in it, and put the new one there.",
        ),
    ] = None,
) -> None:
    """Look whether the audit's chain holds.

    Each row carries the hash of the one before, and each listen in the database has its rows. Says in words where a row was
    changed, removed, inserted or moved, and which listens lack theirs (exit code 1); else how many rows there are and the last
    one's hash. Nothing is written to the database.
    """
    from floorwatch import audit

    url = _monitor_db(db)
    looked = audit.verify(url, expect or [], remember)
    audit.tell(looked, url, remember)
    if not looked.holds:
        raise typer.Exit(1)


@audit_app.command("export")
def audit_export(
    db: DatabaseUrl = None,
    form: Annotated[FormChoice, typer.Option("--format", help="JSON objects, one a line, or CSV.")] = FormChoice.ndjson,
    site: Annotated[str, typer.Option(help="Only this site's rows.")] = "",
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, writable=True, help="A file instead of the screen.")
    ] = None,
) -> None:
    """Write the audit of listening out, oldest row first."""
    from floorwatch import audit

    with open(out, "wb") if out else contextlib.nullcontext(sys.stdout.buffer) as file:
        count = audit.export(_monitor_db(db), file, form.value, site)
    typer.echo(f"{count} rows", err=True)


app.command()(token)
app.command("login-link")(login_link)


def _service(name: str, module: str, about: str) -> None:
    def start() -> None:
        from importlib import import_module

        import_module(module).main()

    start.__doc__ = about
    app.command(name, rich_help_panel="Services")(start)


_service(
    "ingest", "services.ingest.app", "Run ingest alone.\n\nIt turns switch.raw into floor.events. Settings: INGEST_*."
)
_service(
    "monitor",
    "services.monitor.app",
    "Run the monitor alone.\n\nIt keeps the live state and serves the wallboard. Settings: MONITOR_*.",
)
_service(
    "relay",
    "services.monitor.listen.relay.app",
    "Run the audio relay alone.\n\nIt brings the sound of calls from switches to pages. Settings: RELAY_*.",
)
_service(
    "simulator",
    "services.ingest.connectors.simulator.connector",
    "Run the simulated floor alone.\n\nIt writes made-up events to switch.raw. Settings: SIMULATOR_*.",
)


def main() -> None:
    """Entry point. Exit code 2 with one clear line for a wrong setting, file or argument."""
    try:
        app()
    except FloorwatchError as exc:
        first, *more = str(exc).splitlines()
        typer.echo("\n".join([f"floorwatch: {first}", *(f"    {line}" for line in more)]), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
