"""`floorwatch asterisk`: trying the switches of ASTERISK_FILE."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Work with Asterisk switches.", no_args_is_help=True)

_MARKS = {"ok": "ok     ", "missing": "MISSING", "unknown": "?      "}


@app.callback()
def _main() -> None:
    pass


@app.command("check")
def check(
    site: Annotated[str | None, typer.Argument(help="Only this site of the file.")] = None,
    file: Annotated[Path | None, typer.Option(help="Which switches there are (ASTERISK_FILE).")] = None,
) -> None:
    """Log in to each switch once and say what is found and what is missing.

    Permissions, modules, listings, stamps. Nothing on the switch changes. Exit code 1 when something is missing.
    """
    from services.ingest.connectors.asterisk.check import Finding
    from services.ingest.connectors.asterisk.check import check as try_out
    from services.ingest.connectors.asterisk.config import load_switches
    from shared.clock import SystemClock
    from shared.errors import SettingsError
    from shared.settings import AsteriskSettings, load

    switches = load_switches(file or load(AsteriskSettings).file)
    wanted = [one for one in switches if site in (None, one.site)]
    if not wanted:
        raise SettingsError(f"the file has no site {site}; there are {', '.join(one.site for one in switches)}")

    def tell(finding: Finding) -> None:
        typer.echo(f"  {_MARKS[finding.state]}  {finding.text}")

    async def all_of_them() -> bool:
        sound = True
        for one in wanted:
            typer.echo(f"{one.site} ({one.where})")
            sound = await try_out(one, SystemClock(), tell) and sound
        return sound

    if not asyncio.run(all_of_them()):
        raise typer.Exit(1)
