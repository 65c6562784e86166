"""`floorwatch asterisk`: trying the switches of ASTERISK_FILE, and connecting to them."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from services.ingest.connectors.asterisk.check import Finding
    from services.ingest.connectors.asterisk.config import SwitchConfig

app = typer.Typer(help="Work with Asterisk switches.", no_args_is_help=True)

_MARKS = {"ok": "ok     ", "missing": "MISSING", "unknown": "?      ", "failed": "FAILED "}


@app.callback()
def _main() -> None:
    pass


@app.command("check")
def check(
    site: Annotated[str | None, typer.Argument(help="Only this site of the file.")] = None,
    file: Annotated[Path | None, typer.Option(help="Which switches there are (ASTERISK_FILE).")] = None,
) -> None:
    """Say what each switch has and lacks.

    Logs in to it once: permissions, modules, listings, stamps, where it is told to send the sound of calls. Nothing on the switch
    changes. Exit code 1 when something is missing.
    """
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
            found = await try_out(one, SystemClock(), tell)
            if (way := way_of_the_sound(one.config)) is not None:
                tell(way)
                found = found and way.state != "missing"
            sound = sound and found
        return sound

    if not asyncio.run(all_of_them()):
        raise typer.Exit(1)


def way_of_the_sound(config: SwitchConfig) -> Finding | None:
    """Where the switch is told to send the sound of calls; None for one that is told nothing. Raises SettingsError.

    It is not tried: whether the switch gets through to there, only the switch knows.
    """
    from services.ingest.connectors.asterisk.check import Finding
    from services.ingest.connectors.asterisk.config import MEDIA
    from services.monitor.listen.addresses import media_url
    from shared.settings import RelaySettings, load

    if not config.commands:
        return None
    relay = load(RelaySettings)
    told = MEDIA.fullmatch(config.media or media_url(relay))
    if told is None:
        return Finding("missing", f"RELAY_MEDIA_URL is {relay.media_url}, and Asterisk wants audiosocket://host:port")
    where = told.group(1)
    chosen = config.media or relay.media_url
    if not chosen and _is_here(where.rpartition(":")[0]) and not _is_here(config.host):
        text = f"listening: {where}, where the sound of calls is to go, is to this switch its own machine; set"
        return Finding("missing", f"{text} RELAY_MEDIA_HOST to the address of this one that the switch reaches")
    return Finding("ok", f"listening: the sound of calls is to go to {where}; the switch must get through to there")


def _is_here(host: str) -> bool:
    """Whether this names the machine that uses it."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return host == "localhost"


@app.command("run")
def run() -> None:
    """Run the connector alone.

    It logs in to each switch of ASTERISK_FILE and writes what it says to switch.raw. Settings: ASTERISK_*.
    """
    from services.ingest.connectors.asterisk.app import main

    main()
