"""The exact counts at the end of a fault: what a whole chain (ingest, monitors, alerts) made of a load, against the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from shared import events, topics
from shared.bus import Bus
from shared.codec import decode_event
from shared.dedup import Passed
from tests.fault.kit import Downstream, Service, Uninterrupted, by_site, last_checkpoints, read_all
from tests.fault.load import Load
from tests.fault.test_alerts import incidents
from tests.waiting import until


@dataclass
class Chain:
    """What stands behind `switch.raw`."""

    ingest: Service
    monitors: list[Service]
    alerts: Service

    @property
    def all(self) -> list[Service]:
        return [self.ingest, *self.monitors, self.alerts]

    async def end(self, load: Load, bus: Bus) -> None:
        """Once everything was poured and the last incident ended: stop all. Nothing is lost, nothing is doubled."""
        plan = load.plan

        async def all_there() -> bool:
            for one in self.all:
                one.must_run()
            found = await incidents(self.alerts)
            return len(found) >= len(plan.slow) and all(one["ended"] for one in found)

        await until(all_there, "every slow transfer is an incident, and ended", every_s=0.1)
        found = await incidents(self.alerts)
        counted = Counter(one["subject_id"] for one in found)
        assert counted == Counter(plan.slow.keys()), _difference(counted, Counter(plan.slow.keys()))
        assert {one["flags"] for one in found} == {1}
        assert {one["openings"] for one in found} == {1}
        await until(partial(_all_told, bus, len(plan.happenings)), "ingest has told everything", every_s=0.5)
        await self.alerts.stop()
        await self.ingest.stop()
        records = await read_all(bus, topics.FLOOR_EVENTS)
        truth = Uninterrupted(records)

        async def all_read() -> bool:
            return bool(await last_checkpoints(bus, "monitor", truth.offsets))

        await until(all_read, "a monitor has read the last mark", every_s=0.1)
        for one in self.monitors:
            await one.stop()
        _as_planned([decode_event(record.value) for record in records], load)
        await _as_uninterrupted(truth, load, bus)
        ended = await last_checkpoints(bus, "monitor", truth.offsets)
        assert len(ended) >= len(self.monitors)
        assert all(by_site(one.state) == truth.state() for one in ended)


async def _all_told(bus: Bus, planned: int) -> bool:
    records = await read_all(bus, topics.FLOOR_EVENTS)
    events_there = (decode_event(record.value) for record in records)
    places = {
        (one.rawpartition, one.rawoffset, one.rawindex)
        for one in events_there
        if not isinstance(one.data, events.Clock)
    }
    return len(places) >= planned


def _difference(found: Counter[str], planned: Counter[str]) -> str:
    return f"too many: {sorted((found - planned).items())}, missing: {sorted((planned - found).items())}"


def _first_difference(found: Sequence[object], planned: Sequence[object]) -> str:
    for number, (one, other) in enumerate(zip(found, planned, strict=False)):
        if one != other:
            return f"{len(found)} of {len(planned)}; number {number} is {one}, planned was {other}"
    return f"{len(found)} of {len(planned)}; next: {found[len(planned) :][:1] or planned[len(found) :][:1]}"


def _as_planned(happened: list[events.Event], load: Load) -> None:
    """Each event of the plan is on `floor.events`, in order, at its time; those that are there twice have a passed position."""
    passed = Passed()
    for site in load.plan.sites:
        of_site = [event for event in happened if event.site == site and not isinstance(event.data, events.Clock)]
        once = [e for e in of_site if not passed.seen(e.site, e.rawpartition, e.rawoffset, e.rawindex)]
        found = [(event.time, event.data) for event in once]
        planned = [(load.at(what.at_s), what.data) for what in load.plan.happenings if what.site == site]
        assert found == planned, _first_difference(found, planned)
        assert len({event.id for event in once}) == len(once)


async def _as_uninterrupted(truth: Uninterrupted, load: Load, bus: Bus) -> None:
    """Flags and records are those of an engine to which nothing happened, each once."""
    for topic in (topics.FLOOR_FLAGS, topics.FLOOR_RECORDS):
        seen = Downstream(topic)
        await seen.catch_up(bus)
        for site in load.plan.sites:
            found, true = seen.of(site), truth.of(site, topic)
            assert found == true, f"{topic.name} of {site}: {_first_difference(found, true)}"
        assert len({fact.id for fact in seen.facts}) == len(seen.facts)
        if topic is topics.FLOOR_FLAGS:
            assert seen.slow() == {transfer: load.at(at_s) for transfer, at_s in load.plan.slow.items()}
