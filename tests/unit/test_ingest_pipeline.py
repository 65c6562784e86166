from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.ingest import guard, pipeline
from services.ingest.links import link_value
from services.ingest.pipeline import IngestMachine
from shared import events
from shared.errors import InvalidInput
from shared.events import Event
from shared.raw import Raw
from shared.siteconfig import SiteConfig, Sites
from tests.ingestkit import T0, cloud, raw

UP = events.LinkUp(connector="c1", switch="PBX")


class Counting:
    """An adapter that counts what it was fed, and breaks after having counted when the value is `break`."""

    def __init__(self, site: str, config: SiteConfig) -> None:
        self.fed: list[bytes] = []

    def feed(self, raw: Raw) -> list[Event]:
        self.fed.append(raw.value)
        if raw.value == b"break":
            raise ZeroDivisionError("no such thing")
        return []

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self.fed)

    def load(self, state: bytes) -> None:
        self.fed = msgspec.msgpack.decode(state, type=list[bytes])


@pytest.fixture
def machine() -> IngestMachine:
    return IngestMachine(Sites())


def ready(number: int, **more: Any) -> Raw:
    return raw(cloud("agent_ready", {"agent_id": "7"}, id=str(number)), offset=number, **more)


def link(data: events.LinkUp | events.LinkDown, number: int, **more: Any) -> Raw:
    return raw(link_value(data, id=f"link {number}", source="/c1", time=T0), offset=number, kind="link", **more)


def test_numbers_tell_duplicates_and_gaps(machine: IngestMachine) -> None:
    produced = [len(machine.apply(ready(i, session="a", seq=seq))) for i, seq in enumerate((0, 1, 1, 0, 5, 6))]
    assert produced == [1, 1, 0, 0, 1, 1]
    (source,) = machine.sources
    assert (source.received, source.duplicates, source.gaps, source.lost) == (6, 2, 1, 3)


def test_one_adapter_per_site(machine: IngestMachine) -> None:
    """The same CloudEvent at two sites is two events."""
    assert machine.apply(ready(1, site="s1"))
    assert machine.apply(ready(1, site="s2"))
    assert [s.site for s in machine.sources] == ["s1", "s2"]


def test_an_unknown_vendor_is_refused_and_not_remembered(machine: IngestMachine) -> None:
    with pytest.raises(InvalidInput) as refused:
        machine.apply(ready(1, vendor="acme"))
    assert refused.value.reason == "unknown_vendor"
    assert "'acme'" in str(refused.value)
    assert "generic" in str(refused.value)
    assert machine.sources == []


def test_sources_are_bounded(machine: IngestMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "SOURCES_LIMIT", 3)
    for number in range(3):
        machine.apply(ready(number, site=f"site{number}"))
    with pytest.raises(InvalidInput) as refused:
        machine.apply(ready(9, site="site9"))
    assert refused.value.reason == "too_many_sources"
    assert machine.apply(ready(10, site="site1"))


def test_what_is_refused_is_counted(machine: IngestMachine) -> None:
    with pytest.raises(InvalidInput):
        machine.apply(raw(b"{", session="a", seq=0))
    assert machine.apply(ready(1, session="a", seq=1))
    (source,) = machine.sources
    assert (source.received, source.invalid, source.gaps) == (2, 1, 0)
    assert source.outcomes() == {"accepted": 1, "heartbeat": 0, "duplicate": 0, "invalid": 1}


def test_link_records_are_read_whatever_the_vendor(machine: IngestMachine) -> None:
    machine = IngestMachine(Sites(), {"counting": Counting})
    (event,) = machine.apply(link(UP, 0, vendor="counting"))
    assert event.data == UP
    assert event.time == T0
    (event,) = machine.apply(link(events.LinkDown(connector="c1", reason="reset"), 1, vendor="counting"))
    assert event.data == events.LinkDown(connector="c1", reason="reset")


def test_a_link_record_without_a_time_has_that_of_its_receipt(machine: IngestMachine) -> None:
    record = raw(link_value(UP, id="1", source="/c1"), kind="link", received_s=7.0)
    (event,) = machine.apply(record)
    assert event.time == record.received


def test_a_repeated_link_up_is_a_heartbeat_and_no_event(machine: IngestMachine) -> None:
    produced = [len(machine.apply(link(UP, n, session="a", seq=n))) for n in range(3)]
    assert produced == [1, 0, 0]
    assert len(machine.apply(link(UP, 3, session="b", seq=0))) == 1  # the connector connected anew
    (source,) = machine.sources
    assert source.heartbeats == 2


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"nonsense", "not_json"),
        (b'{"connector": "c1"}', "invalid_event"),
        (msgspec.json.encode(cloud("agent_ready", {"agent_id": "7"})), "unknown_type"),
        (msgspec.json.encode([cloud("link_up", {"connector": "c1"})] * 2), "invalid_event"),
        (msgspec.json.encode(cloud("link_up", {"connector": "c1"}, site="other")), "wrong_site"),
    ],
)
def test_a_link_record_that_is_none_is_refused(value: bytes, reason: str, machine: IngestMachine) -> None:
    with pytest.raises(InvalidInput) as refused:
        machine.apply(raw(value, kind="link"))
    assert refused.value.reason == reason


def test_a_fault_in_an_adapter_leaves_its_state_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "JOURNAL_LENGTH", 3)
    made: list[Counting] = []

    def make(site: str, config: SiteConfig) -> Counting:
        made.append(Counting(site, config))
        return made[-1]

    machine = IngestMachine(Sites(), {"counting": make})
    for number, value in enumerate((b"1", b"2", b"3", b"4", b"break", b"5", b"break", b"6")):
        record = raw(value, offset=number, vendor="counting")
        if value != b"break":
            machine.apply(record)
            continue
        with pytest.raises(InvalidInput) as refused:
            machine.apply(record)
        assert refused.value.reason == "internal_error"
        assert "ZeroDivisionError: no such thing" in str(refused.value)
    assert made[-1].fed == [b"1", b"2", b"3", b"4", b"5", b"6"]


def test_everything_survives_a_checkpoint(machine: IngestMachine) -> None:
    machine.apply(link(UP, 0, session="a", seq=0))
    machine.apply(ready(1, session="a", seq=1))
    other = IngestMachine(Sites())
    other.load(machine.dump())
    assert other.sources == machine.sources
    assert other.apply(ready(1, session="a", seq=1)) == []  # by its number
    assert other.apply(ready(1)) == []  # by its id
    assert other.apply(link(UP, 2, session="a", seq=2)) == []  # a heartbeat: the link was up
    assert other.clocks["s1"].link_is_up(T0)


def test_a_checkpoint_may_hold_an_adapter_that_is_gone() -> None:
    machine = IngestMachine(Sites(), {"counting": Counting})
    machine.apply(raw(b"1", vendor="counting"))
    other = IngestMachine(Sites())
    other.load(machine.dump())
    assert other.apply(ready(1))


def test_an_event_of_next_year_is_refused(machine: IngestMachine) -> None:
    """It would end every timer of the site."""
    machine.apply(link(UP, 0))
    with pytest.raises(InvalidInput) as refused:
        machine.apply(raw(cloud("agent_ready", {"agent_id": "7"}, at_s=365 * 86400.0), offset=1))
    assert refused.value.reason == "time_out_of_range"
    now = machine.clocks["s1"].now(T0)
    assert now == T0
    assert machine.apply(raw(cloud("agent_ready", {"agent_id": "7"}, at_s=14 * 3600.0), offset=2))  # a wrong time zone


@pytest.mark.parametrize("made_up", [{"simulated": True}, {"replay": True}])
def test_a_made_up_floor_may_be_in_any_year(made_up: dict[str, Any], machine: IngestMachine) -> None:
    machine.apply(link(events.LinkUp(connector="c1", **made_up), 0))
    assert machine.apply(raw(cloud("agent_ready", {"agent_id": "7"}, at_s=365 * 86400.0), offset=1))


@pytest.mark.parametrize("year", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("kind", ["link_up", "agent_ready"])
def test_no_event_takes_the_clock_out_of_the_calendar(year: str, kind: str, machine: IngestMachine) -> None:
    """The task that writes marks would die of it, at each new start again."""
    machine.apply(link(events.LinkUp(connector="c1", simulated=True, speed=1000), 0))
    data = {"connector": "c1"} if kind == "link_up" else {"agent_id": "7"}
    with pytest.raises(InvalidInput) as refused:
        machine.apply(raw(cloud(kind, data, time=year), offset=1))
    assert refused.value.reason == "time_out_of_range"
    assert machine.clocks["s1"].mark(T0 + timedelta(days=1)) is not None


@pytest.mark.parametrize("speed", [0, -1, 1000.1, 1e308])
@pytest.mark.parametrize("kind", ["event", "link"])
def test_a_speed_beyond_measure_is_refused(speed: float, kind: str, machine: IngestMachine) -> None:
    with pytest.raises(InvalidInput, match=r"\$\.data\.speed: expected more than 0 and at most 1000"):
        machine.apply(raw(cloud("link_up", {"connector": "c1", "speed": speed}), kind=kind))


@pytest.mark.parametrize("value", [b"[" * 100_000, b'{"a":' * 100_000])
@pytest.mark.parametrize("kind", ["event", "link"])
def test_what_is_nested_without_end_is_the_senders_fault(value: bytes, kind: str, machine: IngestMachine) -> None:
    with pytest.raises(InvalidInput) as refused:
        machine.apply(raw(value, kind=kind))
    assert refused.value.reason == "not_json"
