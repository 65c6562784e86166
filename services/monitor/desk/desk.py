"""The desk of one monitor, put together: what its routes work with, and its tasks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from prometheus_client import CollectorRegistry

from services.monitor.core.engine import Engine
from services.monitor.core.views import AgentView, TransferView
from services.monitor.desk import retention
from services.monitor.desk.casebook import Casebook, CaseDraft
from services.monitor.desk.effects import Effects
from services.monitor.desk.metrics import DeskMetrics
from services.monitor.desk.pacing import Changes
from services.monitor.desk.reasons import Reasons
from services.monitor.desk.recorder import Limit, Recorder
from services.monitor.desk.retention import Keep
from services.monitor.desk.store import Store
from services.monitor.desk.transfers import Found, Query, Transfers, transfer_of
from services.monitor.desk.views import Case, FinishedTransfer, TransfersPage
from services.monitor.desk.visibility import Sight
from services.monitor.lasting import lasting
from shared.bus import Bus
from shared.clock import Clock
from shared.db import Database
from shared.errors import FloorwatchError
from shared.identity import Principal
from shared.service import Background

_LOOKED_AT: Final = 5000  # rows of a list that somebody may not see, at most, before the answer goes out all the same
_PAGE: Final = 200


class NoSuchTransfer(FloorwatchError):
    """There is no such transfer, or not for who asks."""


class Desk:
    """Cases, finished transfers and calls, preferences, actions, reveals. Its methods raise StoreError while the database is
    away; the board needs none of them."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        registry: CollectorRegistry,
        database: Database | None,
        *,
        reasons: Reasons | None = None,
        records: Bus | None = None,
        limit: Limit = lambda _: None,
        keep: Keep | None = None,
        present: Callable[[], bool] = lambda: True,
        changes_per_minute: int = 120,
    ) -> None:
        """`records`: a bus of the desk's own, to record what is finished from; without one nothing is. `limit`: seconds that a
        transfer at a site may take. `present`: whether what the engine shows is the present. `changes_per_minute`: that one user
        may make."""
        self.engine = engine
        self.clock = clock
        self.metrics = DeskMetrics(registry)
        self.store = Store(database, clock, self.metrics)
        self.reasons = reasons or Reasons()
        self.keep = keep or Keep()
        self.present = present
        self._pacing = Changes(changes_per_minute)
        self.effects = Effects(self.store, engine, clock, self.metrics, present)
        self._recorder = None if records is None else self._recorder_on(records, limit)

    def start(self, background: Background) -> None:
        """Run what the desk does by itself; nothing without a database."""
        if not self.store.exists:
            return
        work: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "database": self.store.run,
            "retention": lambda: retention.run(self.store, self.clock, self.metrics, self.keep),
            "effects": self.effects.run,
        }
        if self._recorder is not None:
            work["recorder"] = self._recorder.run
        for name, run in work.items():
            background.start(name, lasting(self.clock, "the desk", name, run))

    def _recorder_on(self, bus: Bus, limit: Limit) -> Recorder:
        return Recorder(
            bus=bus,
            store=self.store,
            clock=self.clock,
            metrics=self.metrics,
            keep=self.keep.finished,
            person=self._person,
            limit=limit,
        )

    def _person(self, site: str, agent_id: str) -> tuple[str, str]:
        card = self.engine.view("agent", site, agent_id) if agent_id else None
        return (card.name, card.team) if isinstance(card, AgentView) else ("", "")

    def sight(self, who: Principal) -> Sight:
        """What `who` may see."""
        return Sight(self.engine, who.scope)

    def admit_change(self, who: Principal) -> None:
        """`who` is about to change something that is kept. Raises TooManyChanges."""
        self._pacing.take(who.user, self.clock.monotonic())

    def name(self, site: str, agent_id: str) -> str:
        """The agent's name as the board has it; "" for one it does not know."""
        return self._person(site, agent_id)[0]

    # ------------------------------------------------------------ transfers and their cases

    async def transfers(self, who: Principal, query: Query) -> TransfersPage:
        """A page of those that `who` may see, in the query's order."""
        sight, found = self.sight(who), list[Found]()
        after, looked_at, more = query.after, 0, True
        async with self.store.reading() as session:
            transfers = Transfers(session)
            while more and len(found) <= query.limit and looked_at < _LOOKED_AT:
                rows = await transfers.find(msgspec.structs.replace(query, after=after, limit=_PAGE + 1))
                looked_at += len(rows)
                more = len(rows) > _PAGE
                for one in rows[:_PAGE]:
                    after = one.after(query.sort)
                    if _sees(sight, one):
                        found.append(one)
        page = found[: query.limit]
        if len(found) > query.limit:
            after = page[-1].after(query.sort)
            more = True
        return TransfersPage(
            transfers=tuple(_read_by(who, self._shown(one)) for one in page),
            next=after.cursor() if more and after else None,
        )

    async def transfer(self, who: Principal, site: str, transfer_id: str) -> FinishedTransfer:
        """One transfer, running ones included, and its case with the history. Raises NoSuchTransfer."""
        async with self.store.reading() as session:
            row = await Transfers(session).get(site, transfer_id)
            case = await Casebook(session).get(site, transfer_id)
        if row is not None:
            found = Found(row, case)
            if _sees(self.sight(who), found):
                return _read_by(who, self._shown(found))
        elif running := self._running(who, site, transfer_id):
            shown = FinishedTransfer(
                from_name=self._called(site, running.from_agent),
                to_name=self._called(site, running.to_agent),
                case=case,
                **msgspec.structs.asdict(running),
            )
            return _read_by(who, shown)
        raise NoSuchTransfer(f"there is no transfer {transfer_id} at site {site}")

    async def put_case(self, who: Principal, site: str, transfer_id: str, draft: CaseDraft) -> Case:
        """Open or change a transfer's case. Raises NoSuchTransfer, CaseChangedMeanwhile."""
        now = self.clock.now()
        async with self.store.unit_of_work() as session:
            row = await Transfers(session).get(site, transfer_id)
            seen = (
                _sees(self.sight(who), Found(row, None)) if row else self._running(who, site, transfer_id) is not None
            )
            if not seen:
                raise NoSuchTransfer(f"there is no transfer {transfer_id} at site {site}")
            return await Casebook(session).put(site, transfer_id, draft, by=who.user, by_name=who.name, now=now)

    async def case(self, site: str, transfer_id: str) -> Case | None:
        """The case as it stands, for who has just been refused."""
        async with self.store.reading() as session:
            return await Casebook(session).get(site, transfer_id)

    def _running(self, who: Principal, site: str, transfer_id: str) -> TransferView | None:
        """The transfer on the board, if `who` may see it."""
        found = self.engine.view("transfer", site, transfer_id)
        if not isinstance(found, TransferView):
            return None
        teams = {found.from_agent: "", found.to_agent: ""}
        return found if self.sight(who).transfer(site, teams, found.to_queue) else None

    def _shown(self, found: Found) -> FinishedTransfer:
        row = found.row
        names = {"from_name": self.name(row.site, row.from_agent), "to_name": self.name(row.site, row.to_agent)}
        return transfer_of(row, found.case, **names)

    def _called(self, site: str, agent_id: str) -> str:
        return self.name(site, agent_id) or agent_id


def _read_by(who: Principal, transfer: FinishedTransfer) -> FinishedTransfer:
    if who.reads_notes or transfer.case is None:
        return transfer
    return msgspec.structs.replace(transfer, case=transfer.case.masked())


def _sees(sight: Sight, found: Found) -> bool:
    row = found.row
    return sight.transfer(row.site, {row.from_agent: row.from_team, row.to_agent: row.to_team}, row.to_queue)
