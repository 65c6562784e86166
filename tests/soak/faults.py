"""What is broken on purpose, by name. Each breaks something and says when it was whole again, as far as we have a hand in it.

    @fault("kill_ingest", "kill -9 of ingest")
    async def kill_ingest(stage: Stage, chance: Random) -> None: ...

When the function returns, nothing of ours stands in the way any more; from then on it is measured how long it takes until
everything is right. `only`: the brokers ("embedded", "kafka") that can bear it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.fault.alerting import locked
from tests.soak.stage import NAMES, Stage

Break = Callable[[Stage, Random], Awaitable[None]]

NOTICED_S: Final = (
    6.0  # after which a silent connection shows: what is measured before might be of the time in which it did not
)
PROCESSES: Final = {
    "ingest": ("ingest",),
    "monitor_a": ("monitor-a",),
    "monitor_b": ("monitor-b",),
    "monitors": ("monitor-a", "monitor-b"),
    "relay": ("relay",),
    "alerts": ("alerts",),
    "all": NAMES,
}


@dataclass(frozen=True)
class Fault:
    """`what`: in words, for the table."""

    name: str
    what: str
    strike: Break
    only: str = ""


FAULTS: Final[dict[str, Fault]] = {}


def fault(name: str, what: str, *, only: str = "") -> Callable[[Break], Break]:
    """Put a fault into the registry."""

    def keep(strike: Break) -> Break:
        assert name not in FAULTS, name
        FAULTS[name] = Fault(name, what, strike, only)
        return strike

    return keep


def possible(kind: str) -> dict[str, Fault]:
    """Those that this kind of broker can bear."""
    return {name: one for name, one in FAULTS.items() if one.only in ("", kind)}


def _of_processes(label: str, names: tuple[str, ...]) -> None:
    them = " and ".join(names) if len(names) < 3 else "every service"

    @fault(f"kill_{label}", f"kill -9 of {them}")
    async def kill(stage: Stage, chance: Random) -> None:
        await stage.kill(names)
        await stage.spawn(names)

    @fault(f"pause_{label}", f"SIGSTOP of {them} for 3 to 6 s")
    async def pause(stage: Stage, chance: Random) -> None:
        for name in names:
            stage.services[name].pause()
        try:
            await asyncio.sleep(chance.uniform(3, 6))
        finally:
            for name in names:
                stage.services[name].go_on()

    @fault(f"restart_{label}", f"SIGTERM of {them}, and started again")
    async def restart(stage: Stage, chance: Random) -> None:
        await asyncio.gather(*(stage.services[name].stop() for name in names))
        await stage.spawn(names)


for _label, _names in PROCESSES.items():
    _of_processes(_label, _names)


@fault("pause_broker", "the broker takes connections and answers nothing for 3 to 8 s")
async def pause_broker(stage: Stage, chance: Random) -> None:
    stage.broker.pause()
    try:
        await asyncio.sleep(chance.uniform(3, 8))
    finally:
        stage.broker.go_on()


@fault("kill_broker", "kill -9 of the broker, and started again at once", only="kafka")
async def kill_broker(stage: Stage, chance: Random) -> None:
    stage.broker.kill()
    await asyncio.to_thread(stage.broker.start)


@fault("broker_away", "kill -9 of the broker, started again after 8 to 15 s", only="kafka")
async def broker_away(stage: Stage, chance: Random) -> None:
    stage.broker.kill()
    await asyncio.sleep(chance.uniform(8, 15))
    await asyncio.to_thread(stage.broker.start)


# ---------------------------------------------------------------- the network between services and broker


@fault("slow_network", "services are 200 to 500 ms from the broker for 4 to 8 s")
async def slow_network(stage: Stage, chance: Random) -> None:
    for way in stage.ways.values():
        for direction in (way.up, way.down):
            direction.latency_s, direction.jitter_s = 0.35, 0.15
    await asyncio.sleep(chance.uniform(4, 8))
    for way in stage.ways.values():
        way.restore()


@fault("cut_network", "every connection to the broker is reset, and refused for 3 to 8 s")
async def cut_network(stage: Stage, chance: Random) -> None:
    await asyncio.gather(*(way.refuse() for way in stage.ways.values()))
    await asyncio.sleep(chance.uniform(3, 8))
    await asyncio.gather(*(way.listen() for way in stage.ways.values()))


@fault("cut_one", "the connections of one service to the broker are reset, and refused for 3 to 8 s")
async def cut_one(stage: Stage, chance: Random) -> None:
    way = stage.ways[chance.choice(NAMES)]
    await way.refuse()
    await asyncio.sleep(chance.uniform(3, 8))
    await way.listen()


@fault("hold_network", "nothing passes between services and broker for 3 to 8 s, then all of it")
async def hold_network(stage: Stage, chance: Random) -> None:
    for way in stage.ways.values():
        way.hold()
    await asyncio.sleep(chance.uniform(3, 8))
    for way in stage.ways.values():
        way.go_on()


@fault("half_open", "what one service and the broker say to each other is lost on every connection that is open")
async def half_open(stage: Stage, chance: Random) -> None:
    way = stage.ways[chance.choice(NAMES)]
    way.go_silent()
    way.restore()  # connections from now on are well
    await asyncio.sleep(NOTICED_S)


# ---------------------------------------------------------------- databases and boards


def _of_databases(name: str) -> None:
    @fault(f"lock_{name}_db", f"somebody holds the database of {name} locked for 4 to 8 s")
    async def lock(stage: Stage, chance: Random) -> None:
        with locked(stage.folder / f"{name}.db"):
            await asyncio.sleep(chance.uniform(4, 8))


for _name in ("alerts", "monitor"):
    _of_databases(_name)


@fault("drop_boards", "every board's connection is lost without a word")
async def drop_boards(stage: Stage, chance: Random) -> None:
    for board in stage.boards:
        board.drop()
