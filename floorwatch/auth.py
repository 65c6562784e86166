"""`floorwatch auth`: who may do what, as the files in force say it. And `token` and `login-link`, which let somebody in."""

from __future__ import annotations

import asyncio
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Who may see and do what.", no_args_is_help=True)
_TOKEN_HELP = "Whose it is instead of USER: a file with a token, - for standard input."
_CLAIM_HELP = "What the identity provider says of USER, such as groups=cc-supervisors; again for more."


@app.command()
def check(
    online: Annotated[bool, typer.Option("--online", help="Also ask the identity provider for its keys.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for warnings, too.")] = False,
) -> None:
    """Check the files of who may do what, and show it.

    Reads AUTH_USERS_FILE, AUTH_POLICY_FILE, AUTH_OIDC_* and the addresses that services listen on, as the services do. Prints the
    first error with file, line and key (exit code 1), or the table and warnings about what is hardly meant.
    """
    from rich.console import Console

    from floorwatch import authcheck
    from shared.errors import FloorwatchError

    try:
        checked = authcheck.Checked()
        doubts = list(checked.doubts())
        answer = authcheck.ask_provider(checked.settings) if online else ""
    except FloorwatchError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from None
    authcheck.show(checked, Console(highlight=False, soft_wrap=True))
    for line in (answer, *(f"warning: {one}" for one in doubts)):
        if line:
            typer.echo(line)
    if doubts and strict:
        raise typer.Exit(1)


@app.command()
def explain(
    who: Annotated[
        list[str], typer.Argument(metavar="[USER] ACTION", help="Such as: wang floor.act", show_default=False)
    ],
    site: Annotated[str, typer.Option(help="Of this site.")] = "",
    team: Annotated[str, typer.Option(help="Of this team's agents.")] = "",
    queue: Annotated[str, typer.Option(help="Of this queue.")] = "",
    claim: Annotated[list[str] | None, typer.Option(help=_CLAIM_HELP)] = None,
    token_file: Annotated[Path | None, typer.Option(help=_TOKEN_HELP)] = None,
) -> None:
    """Say whether somebody may do something, and which line says so.

    ACTION is a permission: floor.read, floor.act, history.read, numbers.reveal, calls.listen, calls.speak, audit.read,
    operations.read or events.write. Exit code 0 when they may, 1 when not. A site's policy of listening may forbid more
    (docs/listening.md).
    """
    from floorwatch import authexplain
    from shared.errors import SettingsError
    from shared.identity import PERMISSIONS
    from shared.settings import CommonSettings, load

    *user, action = who
    if len(user) != (token_file is None):
        raise SettingsError("explain: expected USER ACTION, or ACTION with --token-file")
    permission = next((one for one in PERMISSIONS if one == action), None)
    if permission is None:
        near = get_close_matches(action, PERMISSIONS, n=1, cutoff=0.4)
        raise SettingsError(
            f"there is no action {action!r}; "
            + (f"did you mean {near[0]}?" if near else f"there are {', '.join(PERMISSIONS)}")
        )
    files = authexplain.Files(load(CommonSettings))
    if token_file is not None:
        known = asyncio.run(files.by_token(authexplain.token_from(token_file)))
    else:
        known = files.by_name(user[0], authexplain.facts_of(claim or []))
    found = authexplain.explain(known, permission, authexplain.Place(site, team, queue), files.policy)
    typer.echo(f"{'allowed' if found.allowed else 'denied'}: {found.verdict}")
    wide = max((len(line.says) for line in found.lines), default=0)
    for line in found.lines:
        typer.echo(f"  {line.says:<{min(wide, 60)}}  {line.where}".rstrip())
    if not found.allowed:
        raise typer.Exit(1)


User = Annotated[str, typer.Argument(help="As the users file calls them.")]
Hours = Annotated[
    float | None, typer.Option(help="How long it is good for; default as the users file says for the user, 12 there.")
]


def token(user: User, hours: Hours = None) -> None:
    """Print a token of a user, for a program.

    The program sends it as `Authorization: Bearer TOKEN`. AUTH_USERS_FILE says who there is; the token is signed with
    AUTH_SECRET, else with the secret in .run, so run this where the services run. It holds no rights: those are in the users
    file, and who is taken out of it is out. More: docs/security.md.
    """
    from floorwatch import signin
    from shared.settings import CommonSettings, load

    typer.echo(signin.token_for(load(CommonSettings), user, hours))


def login_link(
    user: User,
    hours: Hours = None,
    url: Annotated[
        str | None, typer.Option(help="Where people reach the wallboard; default this machine at MONITOR_PORT (8600).")
    ] = None,
) -> None:
    """Print a link that signs a person in.

    Whoever opens it is that user in that browser until it ends, so hand it over as you would a password. For a screen in the
    hall: `floorwatch login-link hall --hours 8760`.
    """
    from floorwatch import run as running
    from floorwatch import signin
    from shared.settings import MonitorSettings, load

    settings = load(MonitorSettings)
    typer.echo(signin.link_for(url or running.url_of(settings), signin.token_for(settings, user, hours)))
