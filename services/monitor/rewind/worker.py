"""The process that rewinds: `python -m services.monitor.rewind.worker`, started by the monitor when somebody first asks.

Replaying minutes of a busy floor takes seconds of a core, which the monitor's event loop does not have. The worker answers one
question after the other, and ends when its stdin does: when the monitor wants it to, or ended itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import resource
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

import msgspec
import structlog

from services.monitor.core.rules.rulebook import RuleBook
from services.monitor.feed.lens import Lens
from services.monitor.rewind.protocol import (
    Answer,
    AskFloor,
    AskRange,
    Configure,
    Kept,
    RewoundFloor,
    receive,
    said,
    send,
)
from services.monitor.rewind.rewinder import NotShown, Rewinder
from shared import logs
from shared.bus import Bus
from shared.errors import BusError
from shared.kafka import KafkaBus
from shared.kafkasecurity import security_of
from shared.settings import CommonSettings, load

log = structlog.get_logger()

_NICENESS: Final = 5  # the floor of now goes first
_FRAME_LIMIT: Final = 1 << 20


async def answer(rewinder: Rewinder, ask: AskRange | AskFloor) -> Answer:
    """What is answered to one question; never raises but for a fault of the program."""
    try:
        if isinstance(ask, AskRange):
            since = await rewinder.earliest(ask.site)
            flags = await rewinder.raised.of(ask.site, since) if ask.flags else []
            return Answer(200, msgspec.json.encode(Kept(since, flags)))
        stretch = await rewinder.show(ask.site, ask.at)
        floor = Lens(ask.scope).floor(stretch.engine.floor_view())
        shown = RewoundFloor(site=ask.site, at=ask.at, now=stretch.now, floor=floor)
        return Answer(200, msgspec.json.encode(shown))
    except NotShown as exc:
        return Answer(exc.status, detail=str(exc), earliest=exc.earliest)
    except BusError as exc:
        log.warning(
            "the log cannot be read for a rewind", site=ask.site, why=str(exc)
        )  # where it is, is not for readers
        return Answer(503, detail="the log of events cannot be read now; it is tried again when you ask again")


async def work(stdin: asyncio.StreamReader, stdout: BinaryIO, security: Mapping[str, Any]) -> None:
    """Answer until stdin ends. `security`: how the broker is spoken to."""
    bus: Bus | None = None
    rewinder: Rewinder | None = None
    while (frame := await receive(stdin)) is not None:
        message = said.decode(frame)
        if isinstance(message, Configure):
            _limit(message.memory_bytes)
            if bus is None:
                bus = KafkaBus(message.bootstrap, **security)
            rules = RuleBook(pickle.loads(message.rules))  # the monitor's own words, by a pipe of its own
            rewinder = Rewinder(bus, message.sites, rules)
        elif rewinder is not None:
            send(stdout, await answer(rewinder, message))
    if bus is not None:
        await bus.close()


def _limit(memory_bytes: int) -> None:
    """More memory than that is refused to this process, which then ends."""
    with contextlib.suppress(ValueError, OSError):  # not everywhere can it be limited
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


async def _serve(stdout: BinaryIO, security: Mapping[str, Any]) -> None:
    stdin = asyncio.StreamReader(limit=_FRAME_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    await work(stdin, stdout, security)


def main() -> None:
    settings = load(CommonSettings)
    logs.configure("monitor-rewind", level=settings.log_level, fmt=settings.log_format)
    os.nice(_NICENESS)
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what any library prints is no answer
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(_serve(stdout, security_of(settings)))


if __name__ == "__main__":
    main()
