"""P7, P8: two hundred calls that are listened to, in one relay: its share of a core, what it adds to the way, its longest stall.

Switches and pages are processes of their own. The yardstick is a relay that cuts frames out and writes them on, and does nothing
else; what the way takes without any relay is measured too, for what the senders and the machine do is not the relay's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from tests.bench import audioends, audioserver, brokers
from tests.bench.audioends import FRAME_S, Heard, Task
from tests.bench.audioserver import Ran
from tests.bench.children import Child, child
from tests.bench.figures import Figure, Scale, Yardstick

CALLS: Final = 200
_LASTS_S: Final = 12.0
_SETTLES_S: Final = 0.5
_WARMS_UP_S: Final = 1.0
_STARTS_S: Final = 0.3  # after everybody was told when
_ADDED_MS: Final = 5.0  # to 99 of 100 frames at the most


class Run(Struct):
    """One run."""

    ran: Ran
    heard: Heard
    frames: int  # of each call, the first second's too


class Runs(Struct):
    ours: Run
    bare: Run
    direct: Run


_done: dict[str, Runs] = {}  # P7 and P8 look at the same runs


async def _play(calls: int, lasts_s: float, serving: Callable[[Task], None]) -> Run:
    task = Task(calls)
    async with (
        child(serving, task) as server,
        child(audioends.pages, task) as pages,
        child(audioends.switches, task) as switches,
    ):
        at: dict[str, Any] = await server.hear()
        await asyncio.gather(pages.ready(), switches.ready())
        pages.tell({"listen": at["paths"], "port": at["port"]})
        await pages.hear()
        switches.tell({"connect": at["media"]})
        await switches.hear()
        begin = await _begin(pages, switches, lasts_s)
        server.tell("begin")
        await server.hear()
        await asyncio.sleep(begin + lasts_s - time.monotonic())
        server.tell("end")
        ran = msgspec.convert(await server.hear(), Ran)
        return Run(ran, *await _end(pages, switches))


async def _direct(calls: int, lasts_s: float) -> Run:
    """The same without a relay."""
    task = Task(calls)
    async with child(audioends.pages, task) as pages, child(audioends.switches, task) as switches:
        await asyncio.gather(pages.ready(), switches.ready())
        pages.tell({"direct": True})
        switches.tell({"connect": await pages.hear()})
        await switches.hear()
        await _begin(pages, switches, lasts_s)
        return Run(Ran(0.0, lasts_s, 0.0, 0.0), *await _end(pages, switches))


async def _begin(pages: Child, switches: Child, lasts_s: float) -> float:
    """Let them speak. The first second does not count: connections that have just been made, code that has not run."""
    starts = time.monotonic() + _STARTS_S
    switches.tell({"play": _WARMS_UP_S + lasts_s, "at": round(starts * 1e9)})
    await asyncio.sleep(starts + _WARMS_UP_S - time.monotonic())
    pages.tell("zero")
    await pages.hear()
    return starts + _WARMS_UP_S


async def _end(pages: Child, switches: Child) -> tuple[Heard, int]:
    """What was heard, and how many frames each call had, the first second's too."""
    frames: int = await switches.hear()
    await asyncio.sleep(_SETTLES_S)
    pages.tell("heard")
    return msgspec.convert(await pages.hear(), Heard), frames


async def _runs(scale: Scale) -> Runs:
    if scale not in _done:
        calls, lasts_s = (10, 1.0) if scale == "quick" else (CALLS, _LASTS_S)
        _done[scale] = Runs(
            ours=await _play(calls, lasts_s, audioserver.relay),
            bare=await _play(calls, lasts_s, audioserver.bare),
            direct=await _direct(calls, lasts_s),
        )
    return _done[scale]


def _wrong(run: Run) -> tuple[str, ...]:
    found = []
    if run.heard.lost:
        found.append(f"{run.heard.lost} frames of {run.heard.frames} were lost")
    if run.heard.last != run.frames - 1:
        found.append(f"of {run.frames} frames the last was number {run.heard.last}")
    if run.ran.discarded:
        found.append(f"{run.ran.discarded:g} frames came late and were dropped")
    return tuple(found)


def _calls(scale: Scale) -> int:
    return 10 if scale == "quick" else CALLS


async def measure(kind: brokers.Kind, scale: Scale) -> Figure:
    """P8: share of a core, against a bare relay; nothing lost, nothing late."""
    runs, calls = await _runs(scale), _calls(scale)
    ours, bare = runs.ours, runs.bare
    added_ms = ours.heard.p99_ms - runs.direct.heard.p99_ms
    slow = (
        (f"99 of 100 frames come up to {added_ms:.1f} ms later than without a relay",) if added_ms > _ADDED_MS else ()
    )
    each = [1e6 * run.ran.cpu_s / max(1, run.heard.frames) for run in (ours, bare)]
    share = 100 * ours.ran.cpu_s / ours.ran.lasts_s
    return Figure(
        id="P8",
        figure=f"{calls} calls listened to",
        unit="% of a core",
        value=share,
        must=25,
        aim=25 * CALLS / 1500,  # fifteen hundred in one process
        better="lower",
        broken=(*_wrong(ours), *slow),
        yardstick=Yardstick(what="a relay that only moves bytes", unit="µs a frame", value=each[1], ours=each[0]),
        detail={
            "calls": calls,
            "frames_a_second": calls / FRAME_S,
            "frames": ours.heard.frames,
            "p50_ms": ours.heard.p50_ms,
            "p99_ms": ours.heard.p99_ms,
            "max_ms": ours.heard.max_ms,
            "added_p99_ms": added_ms,
            "bare_p99_ms": bare.heard.p99_ms,
            "direct_p50_ms": runs.direct.heard.p50_ms,
            "direct_p99_ms": runs.direct.heard.p99_ms,
            "bare_share": 100 * bare.ran.cpu_s / bare.ran.lasts_s,
            "calls_that_fill_a_core": calls * 100 / max(share, 1e-9),
        },
    )


async def measure_stall(kind: brokers.Kind, scale: Scale) -> Figure:
    """P7: the longest time for which the relay's loop did not come round; the monitor's is in P6."""
    runs, calls = await _runs(scale), _calls(scale)
    ours, bare = runs.ours.ran, runs.bare.ran
    return Figure(
        id="P7",
        figure=f"longest stall of the relay, {calls} calls",
        unit="ms",
        value=max(ours.stall_ms, 1e-3),
        must=5,
        aim=2,
        better="lower",
        yardstick=Yardstick(
            what="a relay that only moves bytes",
            unit="ms",
            value=max(bare.stall_ms, 1e-3),
            ours=max(ours.stall_ms, 1e-3),
        ),
        detail={"own_work_ms": ours.stall_cpu_ms, "bare_own_work_ms": bare.stall_cpu_ms, "lasts_s": ours.lasts_s},
    )
