"""What the fault tests of the monitor's database share: somebody at the desk who notes what was taken, and what must be there."""

from __future__ import annotations

import secrets
from typing import Any, Final

import httpx

from shared import topics
from shared.bus import Bus
from shared.facts import CallEnded, TransferEnded
from tests.fault.alerting import asked, rows
from tests.fault.kit import Downstream, Service, Uninterrupted, read_all
from tests.fault.load import Load
from tests.waiting import until

SITE: Final = "north"
NOBODY_WAITS_S: Final = 29.0  # for any answer, whatever the database does and however busy the machine is


class Clerk:
    """One who writes preferences and a case, and knows what was taken and what was refused."""

    def __init__(self, monitor: Service) -> None:
        self.monitor = monitor
        self.kept: dict[str, str] = {}
        self.refused = 0
        self.case = ""  # the transfer whose case it is
        self.version = 0
        self._number = 0
        self._client = httpx.AsyncClient(base_url=f"{monitor.url}/api/v1", timeout=NOBODY_WAITS_S)

    async def open_case(self) -> None:
        async def some() -> list[Any]:
            answer = await self._client.get("/transfers")
            return list(answer.json()["transfers"]) if answer.status_code == 200 else []

        self.case = (await until(some, "a transfer is in the database", every_s=0.1))[0]["transfer_id"]
        assert await self.writes()

    async def writes(self) -> bool:
        """Write both. True: both were taken; False: both were refused, with the reason. Anything else fails."""
        self._number += 1
        key, value = (
            f"k{self._number % 40}",
            secrets.token_hex(1800),
        )  # large enough that a disk that is full has no room for it
        taken = await self._write("PUT", f"/preferences/{key}", value)
        if taken:
            self.kept[key] = value
        body = {"status": "open", "reason": "", "note": secrets.token_hex(400), "follow_up": "",
                "follow_up_on": None, "version": self.version}  # fmt: skip
        case = await self._write("PUT", f"/transfers/{SITE}/{self.case}/case", body)
        if case:
            self.version += 1
        return taken and case

    async def is_refused(self) -> bool:
        """Nothing can be written, and the board does not mind."""
        before = self.version, dict(self.kept)
        await self.writes()
        await self.board_goes_on()
        return (self.version, self.kept) == before

    async def board_goes_on(self) -> None:
        assert (await self._client.get("/floor")).status_code == 200
        assert await self.monitor.is_ready()

    async def _write(self, method: str, path: str, body: Any) -> bool:
        answer = await self._client.request(method, path, json=body)
        if answer.status_code == 200:
            return True
        assert answer.status_code == 503, answer.text
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["title"] == "The database is away"
        assert problem["detail"].endswith("; nothing was changed, try again")
        assert "postgresql" not in problem["detail"], "where it is, is nobody's business here"
        assert "sqlite" not in problem["detail"]
        self.refused += 1
        return False

    async def everything_is_there(self) -> None:
        """What was taken, once, and nothing of what was refused."""
        found = (await self._client.get("/preferences")).raise_for_status().json()
        assert found == self.kept
        one = (await self._client.get(f"/transfers/{SITE}/{self.case}")).raise_for_status().json()
        assert one["case"]["version"] == self.version
        assert [line["version"] for line in one["case"]["history"]] == [*range(1, self.version + 1)]

    async def close(self) -> None:
        await self._client.aclose()


async def away_and_back(clerk: Clerk, begin: Any, end: Any) -> None:
    """Do `begin`, see that it is said and costs the board nothing, do `end`, see that all is well again by itself."""
    monitor = clerk.monitor
    await begin()
    await until(clerk.is_refused, "what cannot be written is refused", every_s=0.1)

    async def told() -> bool:
        return await monitor.metric("monitor_database_up") == 0

    await until(told, "the metric says it", every_s=0.05)
    await end()
    await until(clerk.writes, "it can be written again", every_s=0.1)


async def nothing_is_lost(monitor: Service, url: str, load: Load, bus: Bus) -> str:
    """Each flag in time's order once; each finished transfer and call one row, with its last word. A figure to tell."""
    await load.done.wait()
    await load.until(load.plan.ends_s + 1)
    truth = Uninterrupted(await read_all(bus, topics.FLOOR_EVENTS))
    finished = {
        fact.data.transfer_id: fact.data.outcome
        for fact in truth.of(SITE, topics.FLOOR_RECORDS)
        if isinstance(fact.data, TransferEnded) and fact.data.outcome != "running"
    }
    calls = {fact.id for fact in truth.facts if isinstance(fact.data, CallEnded)}
    async with asked(url) as database:

        async def recorded() -> bool:
            return await rows(database, "SELECT count(*) FROM calls") == [(len(calls),)]

        await until(recorded, "every call is in the database", every_s=0.3)
        assert dict(await rows(database, "SELECT transfer_id, outcome FROM transfers")) == finished
        assert {one for (one,) in await rows(database, "SELECT fact_id FROM calls")} == calls
        assert await rows(database, "SELECT count(*) FROM transfers") == [(len(finished),)]
    flags = Downstream(topics.FLOOR_FLAGS)
    await flags.catch_up(bus)  # the records, which come after them, are there
    slow = {transfer: at for transfer, at in flags.slow().items() if transfer in load.plan.slow}
    assert slow == {transfer: load.at(at_s) for transfer, at_s in load.plan.slow.items()}
    assert await read_all(bus, topics.SWITCH_DEAD_LETTER) == [], "no record was taken for a bad one"
    return f"{load.poured} events, {len(finished)} transfers, {len(calls)} calls, {len(slow)} flags of slow transfers"
