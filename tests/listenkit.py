"""Listening as its neighbours see it: the API, on an engine that a test feeds by hand, a database, and the topics in memory.

async with listening(database, bench) as floor:
    listen = await floor.ask(call_id="c")
    floor.orders(ForkOrdered), floor.commands(ListenStart)      # what was ordered so far
    await floor.report(ForkUp(...))
    floor.answer(CommandAnswered(...))
    await floor.pass_time(5)
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import msgspec
from prometheus_client import CollectorRegistry

from services.monitor.desk.desk import Desk
from services.monitor.desk.routes import install_desk_routes
from services.monitor.listen import contract
from services.monitor.listen.chain import Link, verify
from services.monitor.listen.part import Listening
from services.monitor.listen.routes import install_listen_routes
from services.monitor.listen.trail import Trail
from shared.clock import FakeClock
from shared.commands import Command, decode_command
from shared.db import Database
from shared.envelope import Data
from shared.events import AgentLoggedOn, CallStarted, CommandAnswered, LegAnswered, LegStarted, LinkUp
from shared.http import create_app
from shared.identity import LOCAL, Principal
from shared.intake import LogReplaced
from shared.memorybus import MemoryBus
from shared.service import Background
from shared.settings import MonitorSettings, RelaySettings, load
from shared.siteconfig import AgentConfig, SiteConfig, Sites
from shared.siteconfig import Listening as Policy
from shared.topics import LISTEN_ORDERS, LISTEN_REPORTS, SWITCH_COMMANDS, SWITCH_DEAD_LETTER
from tests.authkit import SECRET
from tests.deskkit import Someone
from tests.floorkit import RULES, SITE, START, Bench

D = TypeVar("D", bound=Data)
INSPECTOR = Principal("li", "Li Na", frozenset({"inspector"}))
RELAY = {"relay": "relay", "run": "run-1"}


class People(Someone):
    """Whoever the test says asks, and who there is now: `gone` are those who were taken out of the users file."""

    def __init__(self) -> None:
        super().__init__()
        self.who = INSPECTOR
        self.now: dict[str, Principal] = {}
        self.gone: set[str] = set()
        self.users = False  # whether people sign in

    @property
    def mode(self) -> Literal["local", "users"]:
        return "users" if self.users else "local"

    def current(self, principal: Principal) -> Principal | None:
        if principal.user in self.gone:
            return None
        return self.now.get(principal.user, LOCAL if principal.user == "local" else INSPECTOR)


def sites(policy: Policy | None = None, **agents: AgentConfig) -> Sites:
    """One site with this policy."""
    return Sites({SITE: SiteConfig(agents=dict(agents), listening=policy or Policy())})


def a_floor(config: Sites | None = None) -> Bench:
    """Agents 1 and 2 logged on, 1 of team Blue in the answered call `c` by leg `l`."""
    bench = Bench(RULES, config or sites())
    bench(
        0,
        LinkUp(connector="test"),
        AgentLoggedOn(agent_id="1", name="Anna", team="Blue", queues=("sales",)),
        AgentLoggedOn(agent_id="2", name="Bo", team="Red", queues=("support",)),
        CallStarted(call_id="c", from_number="+4530123456"),
        LegStarted(call_id="c", leg_id="l", agent_id="1"),
        LegAnswered(call_id="c", leg_id="l"),
    )
    return bench


class ListenFloor:
    """One replica, or several on one database and one bus: `others` are further ones."""

    def __init__(self, bench: Bench, bus: MemoryBus, clock: FakeClock, auth: People, database: Database) -> None:
        self.bench, self.bus, self.clock, self.auth, self.database = bench, bus, clock, auth, database
        self.replicas: list[Listening] = []
        self.clients: list[httpx.AsyncClient] = []
        self.asleep: set[int] = set()  # replicas that are behind
        self.at_once = 2000  # reports that a replica takes in one transaction

    @property
    def listening(self) -> Listening:
        return self.replicas[0]

    # ------------------------------------------------------------ the API

    async def call(self, method: str, path: str, status: int = 200, *, replica: int = 0, **request: Any) -> Any:
        response = await self.clients[replica].request(method, f"/api/v1{path}", **request)
        assert response.status_code == status, (response.status_code, response.text)
        return response.json()

    async def ask(self, status: int = 201, *, replica: int = 0, **wish: Any) -> Any:
        body = {"site": SITE, "purpose": "live_qa", **wish}
        return await self.call("POST", "/listens", status, replica=replica, json=body)

    async def get(self, listen_id: str) -> Any:
        return await self.call("GET", f"/listens/{listen_id}")

    # ------------------------------------------------------------ what neighbours do

    async def report(self, *data: Data) -> None:
        """The relay reports; every replica has read it afterwards."""
        for number, one in enumerate(data):
            made = contract.report(one, id=f"r{number}", source="/relay", site=SITE, time=self.clock.now())
            await self.bus.publish(LISTEN_REPORTS, msgspec.json.encode(made), key=SITE)
        await self.bus.flush()
        await self.settle()

    async def answer(self, *said: CommandAnswered) -> None:
        """The connector answers."""
        for one in said:
            for replica in self.replicas:
                replica.answered(one)
        await self.settle()

    async def taken(self, start: Any, *outcomes: str, reason: str = "") -> None:
        """The connector says this of a ListenStart."""
        for outcome in outcomes:
            said = CommandAnswered(
                command_id=f"{start.fork_id}:start",
                action="listen_start",
                outcome=outcome,  # type: ignore[arg-type]
                reason=reason,
                fork_id=start.fork_id,
            )
            await self.answer(said)

    async def happens(self, second: float, *data: Data) -> None:
        """The floor changes."""
        self.bench(second, *data)
        for replica in self.replicas:
            replica.on_batch()
        await self.settle()

    async def live(self, listen_id: str) -> contract.ForkOrdered:
        """The switch sends the sound, and the page hears it: the fork."""
        fork = self.orders(contract.ForkOrdered)[-1]
        await self.taken(fork, "taken", "done")
        await self.report(
            contract.ForkUp(fork_id=fork.fork_id, rate_hz=8000, channels=2, **RELAY),
            contract.ListenerJoined(listen_id=listen_id, **RELAY),
        )
        return fork

    async def heard(self, listen_id: str, fork_id: str, seconds: float) -> None:
        data = contract.ListenerHeard(
            listen_id=listen_id, fork_id=fork_id, bytes=int(seconds * 32000), seconds=seconds, discarded=0
        )
        await self.report(data)

    async def settle(self) -> None:
        """Let every replica do what there is to do now."""
        await self.clock.advance(0.3)
        await self._quiet()

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Time passes, and everybody does what it brings."""
        left = seconds
        while left > 0:
            await self.clock.advance(min(step, left))
            await self._quiet()
            left -= step

    async def _quiet(self) -> None:
        """A database answers by a thread of its own: each look is asked for here, rather than waited for."""
        for number, replica in enumerate(self.replicas):
            if number in self.asleep:
                continue
            for intake in self.intakes[id(replica)]:
                await intake()
            assert replica.keeper is not None
            await replica.keeper.look()

    intakes: dict[int, list[Any]]

    # ------------------------------------------------------------ what was ordered and written

    def orders(self, kind: type[D]) -> list[D]:
        found = [contract.decode_order(record.value).data for record in self.bus.records(LISTEN_ORDERS)]
        return [one for one in found if isinstance(one, kind)]

    def order(self, listen_id: str) -> contract.ListenOrdered:
        """The newest order of a listen."""
        found = [one for one in self.orders(contract.ListenOrdered) if one.listen_id == listen_id]
        return max(found, key=lambda one: one.version)

    def commands(self, kind: type[D]) -> list[D]:
        return [one.data for one in self.envelopes() if isinstance(one.data, kind)]

    def envelopes(self) -> list[Command]:
        return [decode_command(record.value) for record in self.bus.records(SWITCH_COMMANDS)]

    async def audit(self, listen_id: str = "") -> list[Link]:
        """The audit in its order; it holds."""
        async with self.database.reading() as session:
            rows = [row async for row in Trail(session).all()]
        assert verify(rows).breaks == ()
        return [row for row in rows if not listen_id or row.listen_id == listen_id]

    async def kinds(self, listen_id: str) -> list[str]:
        return [row.kind for row in await self.audit(listen_id)]

    async def detail(self, listen_id: str, kind: str) -> dict[str, Any]:
        """What the last audit row of this kind says."""
        rows = [row for row in await self.audit(listen_id) if row.kind == kind]
        found: dict[str, Any] = json.loads(rows[-1].detail)
        return found


@asynccontextmanager
async def listening(
    database: Database,
    bench: Bench | None = None,
    config: Sites | None = None,
    *,
    replicas: int = 1,
    clock: FakeClock | None = None,
    bus: MemoryBus | None = None,
) -> AsyncIterator[ListenFloor]:
    """That many monitors on a database that has its tables. Time passes when the test says so."""
    config = config or sites()
    bench = bench or a_floor(config)
    clock = clock or FakeClock(START + timedelta(minutes=1))
    bus = bus or MemoryBus(clock)
    await bus.create((LISTEN_ORDERS, LISTEN_REPORTS, SWITCH_COMMANDS, SWITCH_DEAD_LETTER))
    auth = People()
    floor = ListenFloor(bench, bus, clock, auth, database)
    floor.intakes = {}
    settings = load(MonitorSettings, auth_secret=SECRET, run_dir=Path("/nonexistent"))
    for _ in range(replicas):
        registry = CollectorRegistry()
        desk = Desk(bench.engine, clock, registry, database)
        desk.store.migrated.set()
        part = Listening(
            settings, load(RelaySettings), bench.engine, auth, config, desk, clock, registry, orders=bus, reports=bus
        )
        app = create_app("monitor", registry=registry, background=Background(), auth=auth)
        install_desk_routes(app, desk)
        install_listen_routes(app, part)
        floor.replicas.append(part)
        floor.clients.append(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1"))
        floor.intakes[id(part)] = [_steps(part, bus, floor)]
    yield floor
    for client in floor.clients:
        await client.aclose()


def _steps(part: Listening, bus: MemoryBus, floor: ListenFloor) -> Any:
    """The reports' intake, one step when it is asked for."""
    assert part.keeper is not None
    intake = part.keeper.intake(bus)
    reader: list[Any] = []

    async def step() -> None:
        if not reader:
            try:
                reader.append(await intake._open())
            except LogReplaced as exc:  # another bus on the same database
                await intake._start_anew(exc)
                reader.append(await intake._open())
        records = await reader[0].getmany(timeout_s=0, max_records=floor.at_once)
        records = [record for record in records if not intake._is_anchor(record)]
        if records:
            await intake._take(records)

    return step
