"""Restarts one after the other, as an upgrade does them: what boards, flags and people notice."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

import pytest

from shared import topics
from shared.bus import Bus
from tests.brokers import APACHE, BOTH, Broker
from tests.fault.balancing import Balancer, Watcher, balanced, watched
from tests.fault.kit import Service, Uninterrupted, create_topics, following, read_all, services
from tests.fault.load import Canonical, Load, Plan, pouring
from tests.waiting import until

pytestmark = pytest.mark.fault

SITES: Final = ["north", "south"]
RATE: Final = float(os.environ.get("FAULT_RATE", "2000"))
BOARDS: Final = 8
OLDER: Final = os.environ.get("FAULT_OLDER", "")  # where another version is checked out, from which the upgrade begins
BACK: Final = bool(os.environ.get("FAULT_BACK"))  # or to which it goes back
DRAIN_S: Final = 1.0  # the balancer asks ten times as often

Tell = Callable[[str], None]


@pytest.mark.parametrize("broker", BOTH if OLDER else [APACHE], indirect=True)
async def test_two_monitors_restarted_one_after_the_other_cost_boards_a_reconnect(
    broker: Broker, bus: Bus, tmp_path: Path, measured: Tell
) -> None:
    await create_topics(broker, partitions=len(SITES))
    plan = Plan(SITES, rate=RATE, lasts_s=9)
    both = [draining(Service("monitor", broker, tmp_path, name=name, shutdown_s=30)) for name in ("a", "b")]
    for one in both:
        of_version(one, "" if BACK else OLDER)
    async with services(*both), following(broker, topics.FLOOR_FLAGS) as flags, balanced(*both) as balancer:
        await until(lambda: all(balancer.stands(one) for one in both), "both are ready")
        watchers = [Watcher([balancer.url], Random(number)) for number in range(BOARDS)]
        async with pouring(plan, Canonical(bus, SITES)) as load, watched(*watchers) as boards:
            await until(lambda: all(board.connected for board in boards), "every board has its picture")
            await load.until(2.0)
            took = [await restart(one, balancer, boards) for one in both]
            await load.done.wait()
            await load.until(plan.ends_s + 0.5)
            await until(lambda: all(board.connected for board in boards), "every board is back")
            records = await read_all(bus, topics.FLOOR_EVENTS)
            truth = await asyncio.to_thread(Uninterrupted, records)  # boards here go on meanwhile
            await until(lambda: all(len(flags.of(site)) >= len(truth.of(site, flags.topic)) for site in SITES))

            # what boards were told
            assert [board.wrong for board in boards] == [[] for _ in boards]
            codes = {code for board in boards for code in board.endings if isinstance(code, int)}
            assert 4501 in codes, [board.endings for board in boards]
            assert codes <= {4501, 1006}, "1006: one that was too busy to read it"
            await until(lambda: shows_the_same(boards, both), "every board shows what both monitors show", every_s=0.2)

        # what was flagged: every one with its own deadline, none twice
        assert flags.slow() == {transfer: load.at(at_s) for transfer, at_s in plan.slow.items()}
        for site in SITES:
            assert flags.of(site) == truth.of(site, flags.topic), site
        for one in both:
            await one.stop()
    gaps = [gap for board in boards for gap in board.gaps]
    measured(
        f"{load.poured} events at {RATE:.0f}/s, {BOARDS} boards, load average {os.getloadavg()[0]:.1f}; from SIGTERM to ready "
        f"again {took[0]:.1f} s and {took[1]:.1f} s; {len(gaps)} times a board came back, and was without word for "
        f"{median(gaps):.2f} s (median), {max(gaps):.2f} s (longest); how connections ended: {ended(boards)}"
    )
    late = sorted(on_boards(boards, load, flags.slow_flags()))
    measured(
        f"flags on boards: {len(late)}, late by {median(late):.3f} s (median), {late[int(len(late) * 0.99)]:.3f} s (p99), "
        f"{late[-1]:.3f} s (largest: of a board that was coming back); {sum(board.returned for board in boards)} were over "
        "and stood once more for a moment"
    )


def draining(service: Service) -> Service:
    service._env["FLOORWATCH_DRAIN_S"] = str(DRAIN_S)
    return service


def of_version(service: Service, checkout: str) -> None:
    """Which code it is started with from now on; "": ours."""
    service._env |= {"PYTHONSAFEPATH": "1" if checkout else "", "PYTHONPATH": checkout}


async def restart(one: Service, balancer: Balancer, boards: Sequence[Watcher]) -> float:
    """SIGTERM, and the next one as soon as it has ended; until it is ready and every board has a picture again."""
    began = time.monotonic()
    assert one.process is not None
    one.process.terminate()
    await until(lambda: not balancer.stands(one), "the balancer sends nobody there any more")
    assert await asyncio.wait_for(one.process.wait(), 120) == 0, one.log.read_text()[-4000:]
    of_version(one, OLDER if BACK else "")
    await one.start()
    await until(lambda: balancer.stands(one) and all(board.connected for board in boards), "everybody is back")
    return time.monotonic() - began


def ended(boards: Sequence[Watcher]) -> dict[int | str, int]:
    return dict(sum((board.endings for board in boards), Counter[int | str]()))


async def shows_the_same(boards: Sequence[Watcher], monitors: list[Service]) -> bool:
    """Whether every board shows the flags, calls and agents that both monitors show."""
    pictures = [(await one.get("/api/v1/floor"))["floor"] for one in monitors]
    return all(shown(board) == asked(picture) for board in boards for picture in pictures)


def shown(board: Watcher) -> dict[str, Any]:
    floor = board.picture.floor
    return {kind: floor[kind] for kind in ("flag", "call", "transfer", "agent")}


def asked(picture: Any) -> dict[str, Any]:
    keys = {"flag": "flag_id", "call": "call_id", "transfer": "transfer_id", "agent": "agent_id"}
    return {kind: {f"{one['site']}/{one[key]}": one for one in picture[f"{kind}s"]} for kind, key in keys.items()}


def on_boards(boards: Sequence[Watcher], load: Load, raised: list[Any]) -> list[float]:
    """From the deadline of each slow transfer to the first board message that has its flag, of every board, seconds."""
    offset = time.monotonic() - load.clock.now().timestamp()
    found: list[float] = []
    for flag in raised:
        due = flag.data.raised_at.timestamp() + offset
        key = f"{flag.site}/{flag.data.flag_id}"
        found += [board.raised[key] - due for board in boards if key in board.raised]
    return found
