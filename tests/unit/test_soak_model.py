"""The soak's model says what an engine makes of a story that nothing disturbs, and its ledgers see every difference."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from services.monitor.core.engine import Engine
from services.monitor.rulefile import load_rulebook
from shared import events
from shared.siteconfig import Sites
from tests.brokers import ApacheBroker
from tests.soak import model as reading
from tests.soak.catchup import replays, words
from tests.soak.faults import FAULTS, possible
from tests.soak.ledger import Ledger
from tests.soak.model import Model
from tests.soak.report import Report, table
from tests.soak.stage import RULES
from tests.soak.story import Story, Unreadable

BEGAN = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    return BEGAN + timedelta(seconds=second)


@pytest.mark.parametrize(("seed", "lasts_s"), [(1, 20.0), (2, 70.0)])
def test_the_model_says_what_an_engine_makes_of_the_story(tmp_path: Path, seed: int, lasts_s: float) -> None:
    story = Story(seed, sites=("north", "south"), rate=40, lasts_s=lasts_s)
    (tmp_path / "rules.yaml").write_text(RULES)
    engine = Engine(Sites(), load_rulebook(tmp_path / "rules.yaml"))
    numbers = Counter[str]()
    facts = []
    for what in story.happenings:
        offset = numbers[what.site]
        numbers[what.site] += 1
        if not isinstance(what.data, Unreadable):
            place = {"rawpartition": story.sites.index(what.site), "rawoffset": offset}
            facts += engine.apply(
                events.make(what.data, id=str(offset), source="/load", site=what.site, time=at(what.at_s), **place)
            )
    for site in story.sites:
        facts += engine.apply(events.make(events.Clock(), id="", source="/load", site=site, time=at(lasts_s)))
    model = Model(story, at)
    found = [
        (model.flags(), reading.flag_keys(facts)),
        (model.calls(), reading.call_keys(facts)),
        (model.transfers(), reading.transfer_keys(facts)),
        (model.stays(), reading.stay_keys(reading.intervals(facts))),
    ]
    lasted = Counter[tuple[str, str, str]]()
    for site_name, agent, state, begin, end in reading.intervals(facts):
        lasted[site_name, agent, state] += round((end - begin).total_seconds() * 1000)
    ended = Counter((key[0], key[2], key[3]) for key in reading.call_keys(facts))  # type: ignore[index]
    found += [
        (model.sums(), ((*key, ms) for key, ms in lasted.items() if ms)),
        (model.counts(), ((*key, number) for key, number in ended.items())),
    ]
    for ledger, came in found:
        ledger.take(came)
        assert ledger.exact, f"{ledger.name}: {ledger.words()}"
        assert ledger.due, f"{ledger.name}: nothing happens in this story"
    shown = engine.floor_view()
    assert {(one.site, one.agent_id): one.state for one in shown.agents} == model.agents()
    counts = {
        (one.site, one.queue): {"offered": one.offered, "answered": one.answered, "abandoned": one.abandoned}
        for one in shown.queues
    }
    assert counts == model.queues()
    assert not shown.calls


def test_what_services_caught_up_with_is_read_off_their_logs(tmp_path: Path) -> None:
    log = tmp_path / "monitor.log"
    said = [
        {"event": "pump_restored", "records_to_replay": 2000, "timestamp": "2026-03-02T12:00:00Z"},
        {"event": "pump_live", "timestamp": "2026-03-02T12:00:04Z"},
        {"event": "pump_restored", "records_to_replay": 1500, "timestamp": "2026-03-02T13:00:00Z"},
        {"event": "pump_live", "timestamp": "2026-03-02T12:00:05Z"},
        {"event": "pump_restored", "records_to_replay": 12, "timestamp": "2026-03-02T12:10:00Z"},
        {"event": "pump_live", "timestamp": "2026-03-02T12:10:03Z"},
        {"event": "pump_restored", "records_to_replay": 9000, "timestamp": "2026-03-02T12:20:00Z"},
    ]
    log.write_text("\n".join(["Traceback of somebody", *(msgspec.json.encode(one).decode() for one in said)]))
    found = list(replays(log))
    assert found == [(2000, 4.0), (12, 3.0)], "neither with a clock that was set meanwhile, nor one that never came up"
    assert words(found).startswith("caught up 1 times with 1000 records or more: 500 records a second")


def test_faults_are_those_that_a_soak_can_bear() -> None:
    plain, all_of_it = possible(["embedded", "sqlite"]), possible(["kafka", "postgres", "small disk"])
    assert "full_disk" not in plain
    assert {"kill_broker", "kill_postgres", "full_disk"} <= all_of_it.keys()
    assert all_of_it == FAULTS


def test_a_story_is_a_function_of_its_seed() -> None:
    once, again, other = (Story(seed, sites=("a", "b"), rate=50, lasts_s=15) for seed in (3, 3, 4))
    assert once.happenings == again.happenings
    assert once.happenings != other.happenings
    assert [what.at_s for what in once.happenings] == sorted(what.at_s for what in once.happenings)


def test_a_ledger_tells_what_is_lost_doubled_and_nobodys() -> None:
    ledger = Ledger("flags", {"a": 1.0, "b": 2.0, "c": 3.0})
    ledger.take(["a", "b", "b", "x"])
    assert (ledger.lost, ledger.doubled, ledger.strange) == (["c"], ["b"], ["x"])
    assert not ledger.exact
    assert not ledger.complete
    assert ledger.between(0, 2.5) == (0, 1)
    assert ledger.between(2.5, 9) == (1, 0)
    assert "1 lost, such as c" in ledger.words()
    ledger.allowed["b"] = 1
    assert not ledger.doubled, "a copy that says that it is one"


def test_a_failed_transfer_is_a_flag_for_as_long_as_it_is_shown() -> None:
    story = Story(5, sites=("north",), rate=40, lasts_s=20.0)
    model = Model(story, at)
    soon, late = model.flags(), model.flags({"north": at(400)})
    assert {key[3] for key in late.due.keys() - soon.due.keys()} == {"cleared"}  # type: ignore[index]
    assert len(late.due) - len(soon.due) == sum(
        call.transfer is not None and call.transfer.failed for call in story.calls()
    )


def test_a_soak_in_which_nothing_was_broken_says_what_it_counted() -> None:
    report = Report(seed=1, broker="embedded", database="sqlite", lasts_s=20, rate=60, happened=9, again="make soak")
    report.counts = {"flags": "3 due, 3 came"}
    assert "flags  3 due, 3 came" in table(report, [Ledger("flags", {"a": 1.0})])


def test_jars_of_apache_kafka_are_looked_for_when_a_broker_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_REAL_JARS", "/found/later")
    assert ApacheBroker(tmp_path)._kafka._jars == Path("/found/later")
