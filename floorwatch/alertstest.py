"""`floorwatch alerts test` and `preview`: try a receiver of the alert file, or look at what it would be sent."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec
import typer

from floorwatch import routing
from floorwatch.preview import Shown
from floorwatch.routing import Read
from services.alerts.core.sending import Form, Language
from services.alerts.links import public_url
from services.alerts.reach.channels import Channels
from services.alerts.reach.outgoing import Told
from services.alerts.reach.owntemplate import EXAMPLE
from services.alerts.reach.trial import Result, message_of, send_directly
from services.alerts.reach.writing import Matter, Writing
from services.alerts.text import Text
from shared.clock import SystemClock
from shared.errors import SettingsError
from shared.settings import AlertsSettings, load


def test(file: Path | None, name: str) -> int:
    """The exit code: 0 when every channel took it, 1 when one did not or there is none, 2 when nothing could be tried."""

    def tried(_read: Read, channels: Channels, writing: Writing, name: str) -> int:
        results = asyncio.run(_send(channels, writing, name))
        for one in results:
            typer.echo(f"{one.channel}: {'ok' if one.ok else 'failed'} after {one.took_s:.1f} s, {one.answer}")
        if not results:
            typer.echo(f"{name} has no channel", err=True)
        return 0 if results and all(one.ok for one in results) else 1

    return _with(file, name, tried)


def preview(
    file: Path | None,
    name: str,
    kind: str,
    of: Shown,
    *,
    language: Language | None = None,
    form: Form | None = None,
    as_json: bool = False,
) -> int:
    """The exit code: 0, or 2 when there is nothing to show. `language` and `form`: others than the receiver's."""

    def shown(read: Read, channels: Channels, writing: Writing, name: str) -> int:
        if kind == "test":
            message = message_of(channels, writing, name)
        elif kind in ("single", "bundle"):
            told = (of.with_next(read),) if kind == "single" else _storm()
            receiver = channels.receivers[name]
            robot = next(filter(None, (channels.robot(lane) for lane in channels.lanes if lane.receiver == name)), None)
            matter = Matter(kind=kind, receiver=name, told=told, at=SystemClock().now(), robot=robot)  # type: ignore[arg-type]  # one of two
            own = channels.templates.get(name)
            message = writing.write(matter, language or receiver.language, form or receiver.form, own)
        else:
            typer.echo(f"--kind: expected single, bundle or test, got {kind!r}", err=True)
            return 2
        if as_json:
            written = {"receiver": name, "title": message.title, "body": message.body}
            typer.echo(msgspec.json.format(msgspec.json.encode(written)).decode())
        else:
            typer.echo(f"{message.title}\n\n{message.body}")
        return 0

    return _with(file, name, shown)


def _with(file: Path | None, name: str, use: Callable[[Read, Channels, Writing, str], int]) -> int:
    try:
        read = routing.read(file)
        public = public_url(load(AlertsSettings))
        channels = Channels(read.alerts.receivers.values(), public)
    except SettingsError as exc:
        typer.echo(str(exc), err=True)
        return 2
    name = name or read.alerts.handling.routes.root.leaf.receiver
    if name not in channels.receivers:
        there = ", ".join(sorted(channels.receivers)) or "none"
        typer.echo(f"there is no receiver {name!r}; there are: {there}", err=True)
        return 2
    return use(read, channels, Writing(Text(read.sites, public)), name)


async def _send(channels: Channels, writing: Writing, name: str) -> list[Result]:
    key = f"test/{secrets.token_hex(8)}"
    sent = (send_directly(channels, writing, name, one, SystemClock(), key) for one in channels.of[name])
    return [result for _, result in await asyncio.gather(*sent)]


def _storm() -> tuple[Told, ...]:
    """Thirty-seven incidents, the worst first."""
    slow = (msgspec.structs.replace(EXAMPLE, number=number) for number in range(42, 45))
    waits = (
        msgspec.structs.replace(
            EXAMPLE,
            number=number,
            rule="long_wait",
            severity="warning",
            subject="queue",
            subject_id=f"queue{number}",
            summary_en=f"Somebody has waited more than 5 min in queue{number}",
            summary_zh=f"队列 queue{number} 有人等待超过 5 分钟",
        )
        for number in range(45, 79)
    )
    return (*slow, *waits)
