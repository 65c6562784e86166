"""P6: a thousand wallboards, ten deltas a second: what sending takes of a core, and what a message costs.

The floor lives, and its delta goes to all. What the floor itself costs is known from the same run without a client. The
yardstick writes as many bytes as often to as many connections, and does nothing else.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tests.bench import boardserver, brokers, leanclients
from tests.bench.boardserver import Ran
from tests.bench.children import Child, child
from tests.bench.figures import Figure, Scale, Yardstick
from tests.bench.leanclients import Got

BOARDS: Final = 1000
_CROWD: Final = 5  # 200 agents
_LASTS_S: Final = 20.0
_STALL_MS: Final = 20.0  # P7
_SEPARATE: Final = 0.95  # of the deltas have to go out one by one


async def connected(
    server: Child, clients: Child, *, tickets: bool = False, port: int = 0
) -> tuple[int, float, list[float]]:
    """All clients on this server: its port, since when it served, when each had its whole snapshot."""
    server.tell({"listen": port})
    at = await server.hear()
    clients.tell({"connect": at["port"], "tickets": tickets})
    return at["port"], at["at"], await clients.hear()


async def _with_clients(work: boardserver.Task, boards: int, *, bare: bool) -> tuple[Ran, Got]:
    serving = boardserver.bare if bare else boardserver.floor
    async with child(serving, work) as server, child(leanclients.boards, leanclients.Task(boards)) as clients:
        await server.ready()
        await clients.ready()
        await connected(server, clients)
        clients.tell("zero")
        await clients.hear()
        server.tell("run")
        ran = msgspec.convert(await server.hear(), Ran)
        clients.tell("got")
        return ran, msgspec.convert(await clients.hear(), Got)


async def _alone(work: boardserver.Task) -> Ran:
    async with child(boardserver.floor, work) as server:
        await server.ready()
        server.tell({"listen": 0})
        await server.hear()
        server.tell("run")
        return msgspec.convert(await server.hear(), Ran)


def _wrong(ran: Ran, got: Got, boards: int) -> tuple[str, ...]:
    found = []
    if got.positions != (ran.position, ran.position):
        found.append(
            f"the {boards} clients ended at {got.positions[0]} to {got.positions[1]} and not at {ran.position}"
        )
    if got.deltas[0] < _SEPARATE * ran.deltas:  # nothing is lost, but what was measured is not ten a second
        found.append(
            f"of {ran.deltas} deltas the clients got {got.deltas[0]} to {got.deltas[1]}: several went out as one"
        )
    if got.lost:
        found.append(f"{got.lost} connections were lost")
    return tuple(found)


async def measure(kind: brokers.Kind, scale: Scale) -> Figure:
    """P6: share of a core for sending, ours against a bare server."""
    quick = scale == "quick"
    boards, lasts_s = (20, 1.0) if quick else (BOARDS, _LASTS_S)
    work = boardserver.Task(crowd=1 if quick else _CROWD, ticks=round(lasts_s / boardserver.TICK_S))
    ran, got = await _with_clients(work, boards, bare=False)
    alone = await _alone(work)
    sizes = got.delta_bytes // max(1, got.deltas[1] * boards), got.clock_bytes // max(1, got.clocks[1] * boards)
    bare_work = boardserver.Task(ticks=work.ticks, delta_bytes=sizes[0], clock_bytes=sizes[1])
    bare, bare_got = await _with_clients(bare_work, boards, bare=True)
    sending_s = max(1e-6, ran.cpu_s - alone.cpu_s)
    ours, theirs = sending_s / got.messages, bare.cpu_s / bare_got.messages
    return Figure(
        id="P6",
        figure=f"{boards} boards at 10 Hz, sending",
        unit="% of a core",
        value=100 * sending_s / ran.lasts_s,
        must=20,
        aim=10,
        better="lower",
        broken=_wrong(ran, got, boards),
        yardstick=Yardstick(
            what="a bare server writes as many bytes", unit="µs a message", value=theirs * 1e6, ours=ours * 1e6
        ),
        detail={
            "boards": boards,
            "agents": work.crowd * 40,
            "deltas": ran.deltas,
            "deltas_a_second": ran.deltas / lasts_s,
            "deltas_got": got.deltas,  # fewer: several as one, where the loop did not come round in between
            "messages_a_second": got.messages / ran.lasts_s,
            "bytes_a_delta": sizes[0],
            "bytes_a_clock": sizes[1],
            "share_at_12000_messages_a_second": ours * 12_000,
            "cost_aim_reached": ours <= 1.5 * theirs,
            "all_of_it_cpu": ran.cpu_s / ran.lasts_s,
            "without_boards_cpu": alone.cpu_s / alone.lasts_s,
            "longest_stall_ms": ran.stall_ms,  # P7
            "longest_stall_own_work_ms": ran.stall_cpu_ms,
            "longest_stall_without_boards_ms": alone.stall_ms,
            "stall_must_reached": ran.stall_ms <= _STALL_MS,
        },
    )
