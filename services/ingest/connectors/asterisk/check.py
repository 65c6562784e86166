"""Try a switch once: what is found and what is missing, line by line. Nothing on the switch changes.

A permission is tried by an action that lacks what it needs: who may not do it is told so before anybody looks at the rest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, NamedTuple

from services.ingest.connectors.asterisk.ami import Headers, headers_of
from services.ingest.connectors.asterisk.config import Switch
from services.ingest.connectors.asterisk.connector import LISTINGS
from services.ingest.connectors.asterisk.failures import ADVICE, LinkFailed
from services.ingest.connectors.asterisk.session import ActionFailed, Session, connect
from services.ingest.connectors.common.within import within
from shared.clock import Clock

LISTEN_S: Final = 3.0  # for anything that the switch says by itself
_NOBODY: Final = "floorwatch-check"  # no channel has this name


State = Literal["ok", "missing", "unknown", "failed"]


class Finding(NamedTuple):
    """`missing`: something does not work without it. `unknown`: it did not show. `failed`: there is no link, or no more."""

    state: State
    text: str


class _Probe(NamedTuple):
    action: str
    headers: Headers
    needs: str
    purpose: str


PROBES: Final = (
    _Probe("Originate", {}, "write=originate", "listening"),
    _Probe("Hangup", {"Channel": _NOBODY}, "write=call", "ending a listen"),
    _Probe(
        "PlayDTMF", {"Channel": _NOBODY, "Digit": "4"}, "write=call and app_senddtmf", "switching to whisper and barge"
    ),
    _Probe("QueuePause", {}, "write=agent", "pausing and logging off agents"),
)
MODULES: Final = (
    ("app_chanspy", "listening"),
    ("chan_audiosocket", "listening: carries the sound to the relay; Asterisk 18 and later have it"),
    ("app_queue", "queues and agents"),
)


async def check(switch: Switch, clock: Clock, tell: Callable[[Finding], None]) -> bool:
    """Whether nothing is missing; each finding is told when it is made."""
    seen = _Seen()
    sound = True

    def found(state: State, text: str) -> None:
        nonlocal sound
        sound = sound and state not in ("missing", "failed")
        tell(Finding(state, text))

    try:
        streams = await connect(switch, clock)
        session = Session(streams, clock, seen.take, where=switch.where, name="check", answer_s=switch.config.answer_s)
        reading = asyncio.create_task(session.read())
        try:
            await session.log_in(switch)
            found("ok", f"logged in to {switch.where} as {switch.config.user}: {await session.version()}")
            for name in LISTINGS:
                await _listing(session, switch, name, found)
            found("ok" if seen.queues else "unknown", seen.story())
            for module, purpose in MODULES:
                await _module(session, module, purpose, found)
            for probe in PROBES:
                await _permission(session, probe, found)
            await _stamps(clock, seen, found)
        finally:
            session.leave()
            reading.cancel()
            await asyncio.wait([reading])
    except LinkFailed as exc:
        found("failed", f"{exc}; {ADVICE[exc.what]}")
    return sound


Found = Callable[[State, str], None]


class _Seen:
    """What came by."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.queues: set[str] = set()
        self.members: set[str] = set()
        self.stamped: bool | None = None  # whether what the switch says by itself has a Timestamp
        self.news = asyncio.Event()

    async def take(self, packet: bytes, _received: datetime) -> None:
        headers = headers_of(packet)
        event = headers.get("Event", "")
        self.events[event] += 1
        if event == "QueueParams":
            self.queues.add(headers.get("Queue", ""))
        elif event == "QueueMember":
            self.members.add(headers.get("StateInterface") or headers.get("Location", ""))
        elif event and event != "FullyBooted" and "ActionID" not in headers:
            self.stamped = self.stamped or "Timestamp" in headers
            self.news.set()

    def story(self) -> str:
        if not self.queues:
            return "no queue is listed; agents are known by their queues"
        channels = self.events["CoreShowChannel"]
        return f"{len(self.queues)} queues with {len(self.members)} members, {channels} channels now"


async def _listing(session: Session, switch: Switch, name: str, found: Found) -> None:
    try:
        await session.ask_list(name, limit_s=switch.config.list_s)
    except ActionFailed as exc:
        found(
            "missing", f"{name} is refused ({exc}): write=system lets the board know what is going on when it connects"
        )
    except TimeoutError as exc:
        found("missing", f"{name}: {exc}")
    else:
        found("ok", f"{name} is answered")


async def _module(session: Session, module: str, purpose: str, found: Found) -> None:
    try:
        await session.ask("ModuleCheck", {"Module": module})
    except ActionFailed as exc:
        refused = "permission" in str(exc).lower()
        found("unknown" if refused else "missing", f"module {module} ({purpose}): {exc}")
    except TimeoutError as exc:
        found("unknown", f"module {module}: {exc}")
    else:
        found("ok", f"module {module} is loaded")


async def _permission(session: Session, probe: _Probe, found: Found) -> None:
    try:
        await session.ask(probe.action, probe.headers)
    except ActionFailed as exc:
        said = str(exc).lower()
        if "permission" in said or "unknown command" in said:
            found("missing", f"{probe.needs}, for {probe.purpose}: {probe.action} is refused ({exc})")
            return
    except TimeoutError as exc:
        found("unknown", f"{probe.action}: {exc}")
        return
    found("ok", f"{probe.needs}: {probe.purpose}")


async def _stamps(clock: Clock, seen: _Seen, found: Found) -> None:
    if seen.stamped is None:
        try:
            await within(clock, LISTEN_S, seen.news.wait())
        except TimeoutError:
            found(
                "unknown",
                f"the switch said nothing by itself for {LISTEN_S:g} s, so whether it stamps events did not show",
            )
            return
    if seen.stamped:
        found("ok", "events carry the switch's time")
    else:
        found("missing", "timestampevents=yes in [general] of manager.conf: without it times are those of receipt")
