"""The transfer desk's server: a scripted floor on the feed, and the real desk on a real database behind it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from services.monitor.core.views import FloorView
from services.monitor.desk.desk import Desk
from services.monitor.desk.routes import install_desk_routes
from services.monitor.desk.transfers import Query
from shared.db import Database
from shared.http import create_app, mount_web
from shared.identity import LOCAL, Principal
from shared.memorybus import MemoryBus
from shared.service import Background
from shared.topics import FLOOR_RECORDS, SWITCH_DEAD_LETTER
from tests.browser.feedserver import CLOCK, PAGE, FeedServer, serving
from tests.deskkit import Someone, record
from tests.floorkit import Bench
from tests.waiting import until


class DeskServer(FeedServer):
    """`bus`: where finished transfers come from; `who`: who asks from now on."""

    def __init__(self, floor: FloorView, desk: Desk, bus: MemoryBus, database: Database) -> None:
        super().__init__(floor)
        self.desk, self.bus, self.database = desk, bus, database
        self._someone = Someone()

    @property
    def who(self) -> Principal:
        return self._someone.who

    @who.setter
    def who(self, principal: Principal) -> None:
        self._someone.who = principal

    async def finish(self, *ended: Any) -> None:
        """Have transfers recorded; returns when the desk has them."""
        await record(self.bus, *ended)
        wanted = {one.transfer_id for one in ended}

        async def recorded() -> bool:
            page = await self.desk.transfers(LOCAL, Query(limit=200))
            return wanted <= {one.transfer_id for one in page.transfers}

        await until(recorded)

    def app(self) -> Any:
        app = create_app("monitor", auth=self._someone)
        app.add_api_websocket_route("/api/v1/feed", self._feed)
        install_desk_routes(app, self.desk)
        mount_web(app, PAGE)
        return app


@contextlib.asynccontextmanager
async def serving_desk(
    floor: FloorView, folder: Path, *, bench: Bench | None = None, away: bool = False
) -> AsyncIterator[DeskServer]:
    """The desk's page at `url`; `away`: its database is."""
    bus = MemoryBus()
    await bus.create((FLOOR_RECORDS, SWITCH_DEAD_LETTER))
    database = Database(f"sqlite:///{folder / 'monitor.db'}")
    desk = Desk((bench or Bench()).engine, CLOCK, CollectorRegistry(), None if away else database, records=bus)
    async with Background() as background:
        desk.start(background)
        if not away:
            await until(lambda: not desk.store.trouble)
        feed = DeskServer(floor, desk, bus, database)
        async with serving(floor, feed):
            yield feed
    await database.close()
