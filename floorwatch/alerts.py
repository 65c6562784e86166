"""`floorwatch alerts`: the alerts service, and what its file of who is told makes of an incident."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(invoke_without_command=True)


Language = Literal["en", "zh", "both"]
Form = Literal["short", "long"]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, as the service's API gives it.")]


@app.callback()
def _main(context: typer.Context) -> None:
    """Run alerts alone, or look at who is told of what.

    Without a command it runs the service, which turns flags into incidents. Settings: ALERTS_*.
    """
    if context.invoked_subcommand is None:
        from services.alerts.app import main

        main()


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="An alert file, such as deploy/alerts.yaml; default the one of ALERTS_FILE.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check an alert file, and show what is in it.

    Prints the first error with file, line and key (exit code 1); or receivers without their secrets, the tree of routes, who is
    on duty now, and warnings about what can never count. The variables and files that it names must be there, as for the service.
    """
    from rich.console import Console

    from floorwatch import routing, routingpages
    from shared.errors import SettingsError

    try:
        found = routing.read(file).view()
    except SettingsError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(found.model_dump_json(by_alias=True, indent=2))
    else:
        routingpages.show_file(found, Console(highlight=False))
    if strict and found.warnings:
        raise typer.Exit(1)


@app.command()
def route(
    labels: Annotated[
        list[str],
        typer.Option(
            help="What a flag has, such as rule=slow_transfer,site=hq,queue=sales; may be given several times."
        ),
    ],
    at: Annotated[
        str | None,
        typer.Option(help='When it is raised, such as "2026-03-02 22:00", in the time zone of the site; default now.'),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Another alert file than that of ALERTS_FILE.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say who would be told of a flag with these labels, when and why.

    For each severity, unless one of the labels says which: whom the routes tell at once, whom they remind or tell next while
    nobody acknowledges, when it becomes more severe, and what would hide it. Nothing is sent.
    """
    from rich.console import Console

    from floorwatch import routing, routingpages

    read, given = routing.read(file), routing.labels_of(labels)
    rule = routing.from_rules(given.get("rule", ""))
    if rule is not None:
        given.setdefault("subject", rule.subject)
    found = read.explain(given, at)
    if as_json:
        typer.echo(found.model_dump_json(by_alias=True, indent=2))
    else:
        routingpages.show_explained(found, rule, Console(highlight=False))


@app.command("test")
def try_receiver(
    name: Annotated[str, typer.Argument(help="A receiver of the alert file.")],
    file: Annotated[Path | None, typer.Option(help="Another alert file than that of ALERTS_FILE.")] = None,
) -> None:
    """Send a test to every channel of a receiver.

    Now and once; it says that it is a test. Prints what they answered.
    The service need not run; the variables and files that the alert file names must be there. Exit code 1 when one fails.
    """
    from floorwatch import alertstest

    raise typer.Exit(alertstest.test(file, name))


@app.command()
def preview(
    name: Annotated[
        str, typer.Argument(help="A receiver of the alert file; default that of the first route.", show_default=False)
    ] = "",
    kind: Annotated[str, typer.Option(help="single, bundle or test.")] = "single",
    rule: Annotated[str, typer.Option(help="Of which rule the example is.")] = "slow_transfer",
    site: Annotated[str, typer.Option(help="At which site it is.")] = "demo",
    reason: Annotated[str, typer.Option(help="Why one is told: such as opened, escalated, resolved.")] = "opened",
    incident: Annotated[int | None, typer.Option(help="The number of an incident, instead of an example.")] = None,
    lang: Annotated[Language | None, typer.Option(help="Instead of the receiver's.")] = None,
    form: Annotated[Form | None, typer.Option(help="Instead of the receiver's.")] = None,
    file: Annotated[Path | None, typer.Option(help="Another alert file than that of ALERTS_FILE.")] = None,
    db: Annotated[str | None, typer.Option(help="Where the incident is (ALERTS_DB_URL).")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a message as a receiver would get it.

    In its language and form, with its own template, and with who is told next if nobody acknowledges: by the file, or by the
    incident's own plan. Nothing is sent.
    """
    from floorwatch import alertstest
    from floorwatch import preview as previews
    from floorwatch.purge import database_url

    about = previews.told_of(rule, site, reason, incident, database_url(db))
    raise typer.Exit(alertstest.preview(file, name, kind, about, language=lang, form=form, as_json=as_json))


@app.command()
def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    db: Annotated[
        str | None,
        typer.Option(
            help="The database of alerts, such as sqlite:///FILE or postgresql://USER@HOST/NAME (ALERTS_DB_URL)."
        ),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Another alert file than that of ALERTS_FILE.")] = None,
    as_json: AsJson = False,
) -> None:
    """Remove what is older than it may be.

    How long what is kept says the section `retention` of the alert file.
    The service does so by itself once a day; this does it now, beside it. Says for each table how many rows and how old.
    Incidents go only when they are resolved, their re-check is past and no action is left to do.
    """
    from rich.console import Console

    from floorwatch import purge as purging
    from floorwatch import routing

    retention = routing.read(file).alerts.retention
    found = purging.purge(purging.database_url(db), retention, dry_run=dry_run)
    if as_json:
        typer.echo(purging.as_json(found))
    else:
        purging.show(found, retention, Console(highlight=False))
