"""Writes reports when they are due and hands them to the outbox. Two instances: the one that writes the row first does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter
from sqlalchemy.exc import SQLAlchemyError

from services.alerts.alertfile.live import InForce
from services.alerts.pdf import NoPango
from services.alerts.periodic import formats, loading, schedule
from services.alerts.periodic.building import build
from services.alerts.periodic.document import Document
from services.alerts.periodic.material import Material
from services.alerts.periodic.schedule import Run
from services.alerts.periodic.store import Reports
from services.alerts.periodic.writing import words
from services.alerts.reach.message import Attachment, Message
from services.alerts.reach.outbox import Outbox
from services.alerts.text import Text
from shared.clock import Clock
from shared.db import Database
from shared.errors import FloorwatchError, StoreError
from shared.waiting import wait

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(minutes=10)  # longer than the largest report takes; then another instance may write it
LOOK: Final = timedelta(minutes=5)  # asleep at most so long: a site may be heard of for the first time
RETRY_S: Final = 30.0
TRIES: Final = 5
# what one report may stumble over without the service's end: a fault of ours included, which is written down with the report
_FAULTS: Final = (
    *(FloorwatchError, SQLAlchemyError, OSError),
    *(ValueError, ArithmeticError, LookupError, TypeError, AttributeError, AssertionError),
)


class Written(Struct, frozen=True):
    """A report ready to be sent. `missing`: formats that this machine cannot write."""

    documents: tuple[Document, ...]
    files: tuple[formats.File, ...]
    missing: tuple[str, ...]


class Reporter:
    """The schedule at work."""

    def __init__(
        self,
        *,
        database: Database,
        in_force: InForce,
        text: Text,
        clock: Clock,
        registry: CollectorRegistry,
        posted: Callable[[], None],
    ) -> None:
        """`posted` is called when the outbox has something new."""
        self._database = database
        self._in_force = in_force
        self._text = text
        self._clock = clock
        self._changed = asyncio.Event()
        self._written: dict[tuple[object, ...], Written] = {}  # of this round: receivers share what is the same
        self._posted = posted
        self._count = Counter("alerts_reports", "Periodic reports by what became of them", ["state"], registry=registry)
        for state in ("posted", "no_channel", "failed"):
            self._count.labels(state)

    def wake(self) -> None:
        """Look anew: the alert file has changed."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._changed.clear()
            try:
                until = await self.step()
            except StoreError as exc:
                log.warning("reports cannot be written now", reason=str(exc), again_after_s=RETRY_S)
                until = self._clock.now() + timedelta(seconds=RETRY_S)
            await wait(self._changed, self._clock, until)

    async def step(self) -> datetime:
        """Write and post everything that is due; when to look again. Raises StoreError."""
        now = self._clock.now()
        plans = self._in_force.alerts.reports
        if not plans:
            return now + LOOK
        async with self._database.reading() as session:
            recorded = await loading.recorded_sites(session)
            named = {site for plan in plans for site in plan.sites}
            zones = {site: self._text.sites.site(site).time_zone for site in sorted({*recorded, *named})}
            due = schedule.runs(plans, zones, now)
            known = await Reports(session).known(run.identity for run in due)
        again = [now + LOOK]
        if (following := schedule.next_of(plans, zones, now)) is not None:
            again.append(following)
        for run in due:
            row = known.get(run.identity)
            if row is not None and row.state != "writing":
                continue
            if row is not None and row.claimed_until is not None and row.claimed_until > now:
                again.append(row.claimed_until)
                continue
            later = schedule.waits_for(run, recorded.get(run.site), now)
            if later is not None:
                again.append(later)
            elif (retry := await self._do(run)) is not None:
                again.append(retry)
        self._written.clear()
        return min(again)

    async def _do(self, run: Run) -> datetime | None:
        """Claim, write, post; when to try again, None: done, or another's. Raises StoreError."""
        now = self._clock.now()
        until = now + LEASE
        async with self._database.unit_of_work() as session:
            number = await Reports(session).claim(run, now, until)
        if number is None:
            return None
        try:
            state = await self._write(run, number, until)
        except _FAULTS as exc:
            if isinstance(exc, StoreError):
                raise
            return await self._failed(run, number, exc)
        self._count.labels(state).inc()
        log.info("a report was written", kind=run.period.kind, site=run.site, period=run.period.key, state=state)
        return None

    async def _write(self, run: Run, number: int, until: datetime) -> str:
        """posted, no_channel, nothing, or taken when another took it over meanwhile."""
        async with self._database.reading(long=True) as session:
            config = self._text.sites.site(run.site)
            first = await loading.first_day(session, run.site)
            found = await loading.material(session, run.site, config, run.period, self._clock.now())
        if first is None or first > run.period.last:
            said = "nothing is recorded of this site" if first is None else f"records begin on {first}"
            return await self._finish(number, until, "nothing", answer=said)
        written = await self._rendered(run, found)
        message = self.message(run, written)
        async with self._database.unit_of_work() as session:
            reports = Reports(session)
            if not await reports.holds(number, until):
                return "taken"
            channels, key = self._in_force.channels.for_reports(run.receiver), "/".join(run.identity[:3])
            notices = await Outbox(session).post(run.receiver, message, channels, self._clock.now(), key=key)
            await reports.finish(
                number,
                state="posted" if notices else "no_channel",
                written_at=self._clock.now(),
                complete=found.figures.coverage.share,
                files=[{"name": one.name, "size": len(one.content)} for one in written.files],
                notices=notices,
                answer=_answer(run, written, bool(notices)),
            )
        self._posted()
        return "posted" if notices else "no_channel"

    async def _finish(self, number: int, until: datetime, state: str, answer: str) -> str:
        async with self._database.unit_of_work() as session:
            reports = Reports(session)
            if not await reports.holds(number, until):
                return "taken"
            await reports.finish(number, state=state, written_at=self._clock.now(), answer=answer)
        return state

    async def _failed(self, run: Run, number: int, exc: Exception) -> datetime | None:
        log.exception("a report could not be written", kind=run.period.kind, site=run.site, period=run.period.key)
        async with self._database.unit_of_work() as session:
            reports = Reports(session)
            tried = await reports.attempts(number)
            if tried >= TRIES:
                await reports.finish(number, state="failed", answer=str(exc)[:500])
                self._count.labels("failed").inc()
                return None
            again = self._clock.now() + timedelta(minutes=2**tried)
            await reports.later(number, again, str(exc)[:500])
        return again

    async def _rendered(self, run: Run, found: Material) -> Written:
        """The files, once for all receivers of the same plan."""
        key = (run.plan.formats, run.plan.languages, run.site, run.period)
        if key not in self._written:
            self._written[key] = await asyncio.to_thread(_rendered, run, found)
        return self._written[key]

    def message(self, run: Run, written: Written) -> Message:
        """What the receiver gets: the summary as text, the files with it, and where to find them."""
        parts = [self._part(run, document, written.missing) for document in written.documents]
        title = " / ".join(dict.fromkeys(f"{one.title} {one.site_label} {one.period}" for one in written.documents))
        return Message(
            title=title,
            body="\n\n".join(parts),
            attachments=tuple(
                Attachment(one.name, one.content, one.media_type.partition(";")[0]) for one in written.files
            ),
        )

    def _part(self, run: Run, document: Document, missing: Sequence[str]) -> str:
        said = words(document.language)
        lines = [f"{document.title} · {document.site_label} · {document.period}", *document.notices]
        lines += [f"- {one.text}" for one in document.summary]
        path = f"/api/v1/reports/periodic/{run.period.kind}/{quote(run.site, safe='')}/{run.period.key}"
        lines.append(f"{said['mail.link']} {self._text.address(path)}?format=html&lang={document.language}")
        if missing:
            lines.append(said["mail.missing"].format(formats=", ".join(missing)))
        return "\n".join(lines)


def _answer(run: Run, written: Written, posted: bool) -> str:
    if not posted:
        return f"the receiver {run.receiver} has no channel that carries a report"
    return f"without {', '.join(written.missing)}: this machine cannot write it" if written.missing else ""


def _rendered(run: Run, found: Material) -> Written:
    documents = tuple(build(found, language) for language in run.plan.languages)
    files, missing = list[formats.File](), list[str]()
    for document in documents:
        for form in run.plan.formats:
            try:
                files.append(formats.write_now(document, form))  # type: ignore[arg-type]  # checked when the file was read
            except NoPango as exc:
                log.warning("a report is sent without its PDF", reason=str(exc))
                missing.append(form)
    return Written(documents, tuple(files), tuple(dict.fromkeys(missing)))
