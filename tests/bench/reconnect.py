"""P12: a thousand boards come back at once: how long until the last of them has its whole picture.

They are connected and subscribed; the monitor's process is killed, and another one, which has the floor but no client,
begins to listen on the same port: its start is P11's. All clients ask for a ticket, connect, and ask to resume what the
new one does not know, so that each gets a snapshot. Counted from the moment at which it answers. Pages wait a little and at
random before they try; these do not.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, Final

from msgspec import Struct

from tests.bench import boardserver, brokers, leanclients
from tests.bench.children import child
from tests.bench.fanout import BOARDS, connected
from tests.bench.figures import Figure, Scale, Yardstick, percentile
from tests.bench.floors import Size

_SIZE: Final = Size(sites=2, crowd=7)  # 560 agents
_LIVES_S: Final = 60.0
_FILTERS: Final = 20
_TEAMS: Final = ("Sales", "Billing", "Complaints", "Support")


class Back(Struct, frozen=True):
    """Seconds from when the server answered until clients had their snapshots, half of them and the last; its processor time."""

    p50_s: float
    last_s: float
    cpu_s: float = 0.0


def filters(size: Size) -> tuple[dict[str, Any], ...]:
    """Twenty different ones, each some teams of one site or of all."""
    teams = [list(some) for count in range(1, len(_TEAMS) + 1) for some in combinations(_TEAMS, count)]
    places: list[dict[str, Any]] = [{"sites": [name]} for name in size.names] + [{}]
    return tuple({**place, "teams": some} for some in teams for place in places)[:_FILTERS]


async def _again(work: boardserver.Task, clients_of: leanclients.Task, *, tickets: bool) -> tuple[Back, int]:
    async with (
        child(boardserver.floor, work) as first,
        child(boardserver.floor, work) as second,
        child(leanclients.boards, clients_of) as clients,
    ):
        for one in (first, second, clients):
            await one.ready()
        port, _, _ = await connected(first, clients)
        first.process.kill()
        await first.process.wait()
        clients.tell("lost")
        await clients.hear()
        second.tell("live")
        _, at, whole = await connected(second, clients, tickets=tickets, port=port)
        second.tell("used")
        cpu_s = float(await second.hear())
        clients.tell("picture")
        size = int(await clients.hear())
    return Back(percentile([one - at for one in whole], 0.5), max(whole) - at, cpu_s), size


async def _bare(size: int, boards: int) -> Back:
    work = boardserver.Task(delta_bytes=size)
    async with child(boardserver.bare, work) as server, child(leanclients.boards, leanclients.Task(boards)) as clients:
        await server.ready()
        await clients.ready()
        _, at, whole = await connected(server, clients)
    return Back(percentile([one - at for one in whole], 0.5), max(whole) - at)


async def measure(kind: brokers.Kind, scale: Scale) -> Figure:
    """P12: the last of a thousand fresh snapshots, the whole floor to each; besides with filters, and without tickets."""
    quick = scale == "quick"
    boards, size = (20, Size(2, 1)) if quick else (BOARDS, _SIZE)
    work = boardserver.Task(size.sites, size.crowd, ticks=round((5.0 if quick else _LIVES_S) / boardserver.TICK_S))
    everything = leanclients.Task(boards)
    ours, snapshot = await _again(work, everything, tickets=True)
    direct, _ = await _again(work, everything, tickets=False)
    filtered, part = await _again(work, leanclients.Task(boards, filters(size)), tickets=True)
    theirs = await _bare(snapshot, boards)
    return Figure(
        id="P12",
        figure=f"{boards} boards come back at once",
        unit="s",
        value=max(ours.last_s, filtered.last_s),
        must=3,
        aim=1,
        better="lower",
        yardstick=Yardstick(
            what="a bare server sends as many bytes to each", unit="s", value=theirs.last_s, ours=direct.last_s
        ),
        detail={
            "boards": boards,
            "agents": size.agents,
            "snapshot_bytes": snapshot,
            "p50_s": ours.p50_s,
            "last_s": ours.last_s,
            "cpu_s": ours.cpu_s,
            "filters": _FILTERS,
            "filtered_snapshot_bytes": part,
            "filtered_p50_s": filtered.p50_s,
            "filtered_last_s": filtered.last_s,
            "filtered_cpu_s": filtered.cpu_s,
            "without_tickets_cpu_s": direct.cpu_s,
            "without_tickets_p50_s": direct.p50_s,
            "without_tickets_last_s": direct.last_s,
        },
    )
