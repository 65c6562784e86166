"""What a connector says of a command: a link record, read for every vendor, that is no word of the switch."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from services.ingest.links import link_value
from services.ingest.marks import SILENCE_S
from services.ingest.pipeline import IngestMachine
from shared import events
from shared.errors import InvalidInput
from shared.events import CommandAnswered, Event
from shared.siteconfig import Sites
from tests.ingestkit import cloud, raw
from tests.unit.test_marks import at

UP = events.LinkUp(connector="c1", switch="a switch")
FORK = "40325ec2-5efd-4bd3-805f-53576e581d13"
TAKEN = CommandAnswered(
    command_id="k1", action="listen_start", outcome="taken", fork_id=FORK, agent_id="1", call_id="c"
)
DONE = msgspec.structs.replace(TAKEN, outcome="done")


class Feed:
    """Records of one connector, one after the other; `behind_s` is how far its switch's clock is behind ours."""

    def __init__(self, behind_s: float = 0.0, vendor: str = "generic") -> None:
        self.machine = IngestMachine(Sites())
        self._behind_s, self._vendor, self._count = behind_s, vendor, 0

    def _apply(self, value: bytes, second: float, **more: Any) -> list[Event]:
        number, self._count = self._count, self._count + 1
        record = raw(value, offset=number, received_s=second, vendor=self._vendor, session="a", seq=number, **more)
        return self.machine.apply(record)

    def link(self, second: float, data: events.LinkUp | CommandAnswered, time_s: float | None = None) -> list[Event]:
        time = None if time_s is None else at(time_s)
        return self._apply(link_value(data, id=f"k{self._count}", source="/c1", time=time), second, kind="link")

    def ready(self, second: float, agent_id: str = "1") -> list[Event]:
        data = cloud("agent_ready", {"agent_id": agent_id}, at_s=second - self._behind_s)
        return self._apply(msgspec.json.encode(data), second)


@pytest.mark.parametrize("vendor", ["generic", "asterisk", "anonymous_bank"])
def test_an_answer_is_an_event_at_its_place_whatever_the_vendor(vendor: str) -> None:
    feed = Feed(vendor=vendor)
    (up,), (taken,), (done,) = feed.link(0, UP), feed.link(1, TAKEN), feed.link(1.5, DONE)
    assert [(one.data, one.rawpartition, one.rawoffset, one.rawindex) for one in (taken, done)] == [
        (TAKEN, 0, 1, 0),
        (DONE, 0, 2, 0),
    ]
    assert len({up.id, taken.id, done.id}) == 3
    assert (taken.site, taken.receivedtime) == ("s1", at(1))


def test_the_same_record_again_is_a_duplicate_and_the_same_words_are_not() -> None:
    feed = Feed()
    record = raw(link_value(TAKEN, id="1", source="/c1"), kind="link", session="a", seq=0)
    assert [len(feed.machine.apply(record)) for _ in range(2)] == [1, 0]
    again = raw(link_value(TAKEN, id="1", source="/c1"), kind="link", session="a", seq=1, offset=1)
    assert len(feed.machine.apply(again)) == 1, "no heartbeat: only a LinkUp that says the same is one"


def test_answers_are_no_gap_and_a_lost_one_is() -> None:
    feed = Feed()
    feed.link(0, UP)
    feed.link(1, TAKEN)
    feed.ready(2)
    feed._count += 1
    feed.link(3, DONE)
    (source,) = feed.machine.sources
    assert (source.gaps, source.lost, source.duplicates, source.heartbeats) == (1, 1, 0, 0)


def test_what_is_wrong_with_an_answer_is_said() -> None:
    bad = cloud("command_answered", {"command_id": "k", "action": "listen_start", "outcome": "maybe"})
    with pytest.raises(InvalidInput, match="outcome"):
        Feed()._apply(msgspec.json.encode(bad), 0, kind="link")
    with pytest.raises(InvalidInput) as refused:  # as an event of the switch
        Feed()._apply(msgspec.json.encode(cloud("command_answered", {})), 0)
    assert refused.value.reason == "unknown_type"


# ---------------------------------------------------------------- the switch's clock


@pytest.mark.parametrize("behind_s", [-3600.0, 0.0, 3600.0])
def test_an_answer_is_on_the_switchs_clock_and_teaches_nothing_of_it(behind_s: float) -> None:
    feed = Feed(behind_s)
    feed.link(0, UP)
    for second in range(1, 9):
        feed.ready(second)
    clock = feed.machine.clocks["s1"]
    before, dumped = clock.now(at(60)), clock.dump()
    (taken,) = feed.link(9, TAKEN)
    assert taken.time == at(9 - behind_s)
    assert clock.now(at(60)) == before == at(60 - behind_s)
    feed.link(9, DONE, time_s=9 + 1800)  # whatever it says
    assert clock.now(at(60)) == before
    assert clock.jumped == 0
    known = msgspec.msgpack.decode(dumped)
    changed = {name for name, value in msgspec.msgpack.decode(clock.dump()).items() if known[name] != value}
    assert changed == {"links", "ours"}, "when it was heard, by our clock, and nothing of the switch's"


def test_before_the_switch_spoke_an_answer_has_the_time_of_its_receipt_and_begins_nothing() -> None:
    feed = Feed(3600)
    feed.link(0, UP)
    (taken,) = feed.link(5, TAKEN)
    assert taken.time == at(5)
    feed.ready(6)
    assert feed.machine.clocks["s1"].now(at(6)) == at(6 - 3600)


def test_the_connectors_own_time_is_kept() -> None:
    feed = Feed(3600)
    feed.link(0, UP)
    feed.ready(1)
    (taken,) = feed.link(2, TAKEN, time_s=2 - 3600 + 0.25)
    assert taken.time == at(2 - 3600 + 0.25)


# ---------------------------------------------------------------- silence


def test_an_answer_is_a_sign_of_life_and_no_heartbeat() -> None:
    feed = Feed()
    feed.link(0, UP)
    feed.ready(1)
    feed.link(2, TAKEN)
    clock = feed.machine.clocks["s1"]
    assert not clock.links["c1"].beats
    assert not clock.is_silent("c1", at(2 + 10 * SILENCE_S)), "it promised nothing"
    feed.link(5, UP)
    assert clock.links["c1"].beats
    feed.link(15, DONE)
    assert not clock.is_silent("c1", at(15 + SILENCE_S))
    assert clock.is_silent("c1", at(15 + SILENCE_S + 1))


def test_an_answer_does_not_make_a_floor_lively() -> None:
    feed = Feed()
    feed.link(0, UP)
    feed.ready(1)
    clock = feed.machine.clocks["s1"]
    slow = clock.interval_s(at(60))
    feed.link(60, TAKEN)
    assert clock.interval_s(at(60)) == slow
