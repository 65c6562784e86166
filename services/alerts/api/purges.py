"""What was removed because it was old, by HTTP. Docstrings are the documentation."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from services.alerts.api.parts import AWAY, Alerts
from services.alerts.api.routing import Operator
from services.alerts.api.views import View
from services.alerts.retention.purging import Purges
from services.alerts.retention.tables import PurgeRow
from shared.apidoc import problem
from shared.apiparts import Cursor, Limit, before_of, next_of

router = APIRouter(prefix="/api/v1", tags=["status"])


class RemovedView(View):
    """Rows of one table."""

    group: str = Field(description="As the alert file calls it in `retention`")
    table: str
    rows: int
    older_than: datetime = Field(description="What was of use after that stayed")
    oldest: datetime | None = Field(description="By what the age counts by; null: they went with rows of another table")
    newest: datetime | None


class PurgeView(View):
    id: int
    by: str = Field(description="floorwatch: the service itself, once a day; else who gave the command")
    day: str | None = Field(description="Of one that the service did by itself")
    started_at: datetime
    finished_at: datetime | None = Field(
        description="null: it runs, or was cut short; what it counts is gone either way"
    )
    rows: int
    removed: list[RemovedView]

    @classmethod
    def of(cls, row: PurgeRow) -> PurgeView:
        same = {name: getattr(row, name) for name in ("id", "by", "day", "started_at", "finished_at", "rows")}
        return cls(removed=[RemovedView.model_validate(one) for one in row.removed], **same)


class PurgesView(View):
    purges: list[PurgeView]
    next_cursor: str | None = Field(description="Pass it as cursor for the next page; null on the last")


@router.get("/purges", responses=AWAY | problem(400, "`cursor` is not one that this service gave"))
async def purges(_who: Operator, alerts: Alerts, limit: Limit = 100, cursor: Cursor = "") -> PurgesView:
    """What was removed because it was older than the alert file lets it be kept, the newest purge first."""
    found = await Purges(alerts.database, alerts.clock).newest(limit + 1, before_of(cursor))
    page = found[:limit]
    more = next_of(page[-1].id) if len(found) > limit else None
    return PurgesView(purges=[PurgeView.of(row) for row in page], next_cursor=more)
