"""The rules that ship, the commands that test and try rule books, and the reference that describes them."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from floorwatch.cli import app
from floorwatch.dryrun import differences, over_topic
from floorwatch.rulescript import PHRASES, NotUnderstoodError, Script, event_of
from floorwatch.rulestest import run_file
from services.monitor.core.counting.figures import QUEUE_FIGURES, SITE_FIGURES
from services.monitor.core.rules.rulebook import RuleConfig, Where
from services.monitor.core.rules.rulefacts import READERS
from services.monitor.core.rules.rulefields import FIELDS
from services.monitor.rulefile import load_rulebook
from shared import events, topics
from shared.codec import encode
from shared.errors import SettingsError
from shared.memorybus import MemoryBus
from shared.siteconfig import Sites
from tests.floorkit import CONFIG, SITE, event

ROOT = Path(__file__).parents[2]
DEFAULT, TESTS, DOCS = ROOT / "deploy" / "rules.yaml", ROOT / "deploy" / "rules.test.yaml", ROOT / "docs" / "rules.md"
cli = CliRunner()


# ---------------------------------------------------------------- what ships


def test_every_rule_that_ships_raises_what_its_tests_say() -> None:
    book, results = run_file(TESTS)
    assert {result.name: result.wrong for result in results if result.wrong} == {}
    raised = {flag.rule for result in results for flag in result.seen}
    assert set(book.by_name) - raised == set(), "rules without a test that raises them"


def test_the_rules_that_ship_cover_what_goes_wrong_on_a_floor() -> None:
    book = load_rulebook(DEFAULT)
    assert {
        "slow_transfer",
        "failed_handover",
        "long_talk",
        "long_hold",
        "long_wrap",
        "long_lunch",
        "long_tea",
        "long_break",
        "ring_no_answer",
        "ready_not_offered",
        "queue_longest_wait",
        "low_service_level",
        "high_abandonment",
        "nobody_ready",
        "high_occupancy",
        "new_agent_alone",
        "link_silent",
        "flapping_agent",
    } <= set(book.by_name)
    for rule in book.rules:
        assert re.search(r"[\u4e00-\u9fff]", rule.summary.zh), rule.name


def test_the_reference_names_every_key_field_and_phrase() -> None:
    text = DOCS.read_text(encoding="utf-8")
    keys = [field for kind in (RuleConfig, Where) for field in kind.__struct_encode_fields__]
    names = [name if name != "attr_" else "attr_NAME" for fields in FIELDS.values() for name in fields]
    assert [name for name in (*keys, *names) if f"`{name}`" not in text] == []
    assert [phrase for phrase in PHRASES if phrase not in text] == []


def test_every_field_can_be_read_and_every_figure_is_a_field() -> None:
    for subject, fields in FIELDS.items():
        assert set(READERS[subject]) == set(fields) - {"attr_"}, subject
    assert set(QUEUE_FIGURES) <= set(FIELDS["queue"])
    assert set(SITE_FIGURES) <= set(FIELDS["site"])


# ---------------------------------------------------------------- floorwatch rules test

SMALL_BOOK = """\
rules:
  - name: away
    subject: agent
    when: {state: break}
    for: 10s
    summary: {en: "{agent_name} is away", zh: "{agent_name}"}
"""
SMALL_TESTS = """\
rules: rules.yaml
tests:
  - name: somebody is away
    events:
      - 0s: agent 1 logs on
      - 5s: "agent 1 takes a break: tea"
      - 1m: agent 1 is ready
    expect:
      - {rule: away, subject: "1", raised: 15s, cleared: 1m, summary: 1 is away}
"""


def write(folder: Path, tests: str = SMALL_TESTS) -> Path:
    (folder / "rules.yaml").write_text(SMALL_BOOK, encoding="utf-8")
    path = folder / "rules.test.yaml"
    path.write_text(tests, encoding="utf-8")
    return path


def test_a_test_that_passes_says_so_in_one_line(tmp_path: Path) -> None:
    found = cli.invoke(app, ["rules", "test", str(write(tmp_path))])
    assert (found.exit_code, found.output) == (
        0,
        f"{tmp_path}/rules.test.yaml: 1 test, 1 passed, 0 failed\n",
    )


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (
            "raised: 15s",
            "raised: 20s",
            ["- away of 1 raised at 20s", "+ away of 1 raised at 15s, cleared at 1m: 1 is away"],
        ),
        ("cleared: 1m", "cleared: never", ["- away of 1 cleared at never", "+ away of 1 raised at 15s, cleared at 1m"]),
        ("summary: 1 is", "summary: Anna is", ["- away says: Anna is away", "+ away says: 1 is away"]),
        (
            'subject: "1"',
            'subject: "2"',
            ["- away of 2 raised at 15s", "+ away of 1 raised at 15s, cleared at 1m: 1 is away"],
        ),
        ("takes a break: tea", "is ready", ["- away of 1 raised at 15s", "  nothing was raised"]),
    ],
)
def test_a_test_that_fails_says_what_came_instead(tmp_path: Path, old: str, new: str, lines: list[str]) -> None:
    assert old in SMALL_TESTS
    found = cli.invoke(app, ["rules", "test", str(write(tmp_path, SMALL_TESTS.replace(old, new)))])
    assert found.exit_code == 1
    assert [line[8:] for line in found.output.splitlines()[1:] if line.startswith("        ")] == lines
    assert found.output.startswith("FAILED  somebody is away\n")
    assert "1 test, 0 passed, 1 failed" in found.output


def test_a_flag_that_nobody_expects_fails_a_test(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL_TESTS[: SMALL_TESTS.index("    expect")])
    assert cli.invoke(app, ["rules", "test", str(path)]).exit_code == 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("agent 1 logs on", "agent 1 sings", "rules.test.yaml:5: tests[0].events[0]: 'agent 1 sings' is none of:"),
        ("0s: agent", "soon: agent", 'tests[0].events[0]: expected a time such as "90s" or "1m30s", got \'soon\''),
        (
            "rule: away",
            "rule: gone",
            "tests[0].expect[0].rule: there is no rule 'gone' in the rule book; there are away",
        ),
        ("raised: 15s", "raised: late", "tests[0].expect[0].raised: expected a time"),
        ("name: somebody", "nome: somebody", "tests[0].nome: there is no key `nome`"),
        ("rules: rules.yaml", "rules: nowhere.yaml", "rules.test.yaml:1: rules: there is no file "),
        (
            "0s: agent 1 logs on",
            "{at: 0s, kind: agent_sings}",
            "there is no event 'agent_sings'; there are agent_logged_off",
        ),
        ("0s: agent 1 logs on", "{at: 0s, kind: agent_seen}", "agent_seen: Object missing required field `agent_id`"),
        (
            "0s: agent 1 logs on",
            "{at: 0s, do: agent 1 logs on, times: 0}",
            "expected `at` with `do`, `every` and `times`",
        ),
        ("0s: agent 1 logs on", "0s: 3", "expected what happens"),
    ],
)
def test_a_wrong_test_file_names_file_line_and_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in SMALL_TESTS
    with pytest.raises(SettingsError) as error:
        run_file(write(tmp_path, SMALL_TESTS.replace(old, new)))
    assert says in str(error.value)


def test_every_phrase_of_the_language_is_understood_as_it_is_shown() -> None:
    script = Script()
    for phrase in PHRASES:
        first, *more = phrase.split(" | ")
        start = first.rsplit(" ", 1)[0] if " rings" in first and more else "transfer t1"
        for line in (first, *(f"{start} {one}" for one in more)):
            assert script.say(line), line
    with pytest.raises(NotUnderstoodError, match="is none of"):
        script.say("the agent logs on, maybe")


def test_phrases_mean_the_events_that_they_say() -> None:
    script = Script()
    assert script.say('agent 1 logs on to sales, support as "Anna Berg"') == [
        events.AgentLoggedOn(agent_id="1", name="Anna Berg", queues=("sales", "support"))
    ]
    assert script.say("1 logs on") == [events.AgentLoggedOn(agent_id="1")]
    assert script.say("call c starts, outbound with priority=2") == [
        events.CallStarted(call_id="c", direction="outbound", attributes={"priority": "2"})
    ]
    script.say("call c enters sales")
    script.say("call c rings agent 1")
    assert script.say("agent 1 answers call c") == [
        events.CallDequeued(call_id="c", queue="sales", reason="answered", agent_id="1"),
        events.LegAnswered(call_id="c", leg_id="c-1"),
    ]
    assert script.say("agent 1 leaves call c") == [events.LegCleared(call_id="c", leg_id="c-1")]
    assert event_of("agent_seen", {"agent_id": 1001}) == events.AgentSeen(agent_id="1001")


# ---------------------------------------------------------------- floorwatch rules dry-run


def trace(folder: Path) -> Path:
    """Two breaks of an agent, in the generic form."""
    path = folder / "trace.jsonl.gz"
    begin = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    with gzip.open(path, "wb") as file:
        for number, (second, data) in enumerate(
            [
                (0, events.AgentLoggedOn(agent_id="1", name="Anna")),
                (10, events.AgentNotReady(agent_id="1")),
                (100, events.AgentReady(agent_id="1")),
                (200, events.AgentNotReady(agent_id="1")),
                (3700, events.AgentReady(agent_id="1")),
            ]
        ):
            found = events.make(data, id=str(number), source="/s", site=SITE, time=begin + timedelta(seconds=second))
            file.write(encode(found) + b"\n")
    return path


def test_a_dry_run_over_a_trace_says_how_often_and_how_long(tmp_path: Path) -> None:
    write(tmp_path)
    command = ["rules", "dry-run", str(tmp_path / "rules.yaml"), "--trace", str(trace(tmp_path))]
    found = cli.invoke(app, [*command, "--adapter", "generic", "--site", SITE])
    assert found.exit_code == 0, found.output
    assert "2 flags" in found.output
    assert re.search(r"away +2 +47 +58:20 min", found.output)
    assert "2026-03-02 09:00:20  away  Anna is away, for 1:30 min" in found.output


def test_a_dry_run_compares_with_the_rules_in_force(tmp_path: Path) -> None:
    write(tmp_path)
    other = tmp_path / "other.yaml"
    other.write_text(SMALL_BOOK.replace("10s", "5m"), encoding="utf-8")
    command = ["rules", "dry-run", str(tmp_path / "rules.yaml"), "--trace", str(trace(tmp_path))]
    found = cli.invoke(app, [*command, "--adapter", "generic", "--site", SITE, "--against", str(other)])
    assert re.search(r"away +2 +1 ", found.output)
    assert "+ 2026-03-02 09:00:20  away  Anna is away" in found.output
    assert found.output.count("+ 2026") == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "say what to work through: --trace FILE with --adapter and --site, or --from and --to"),
        (["--trace", "x.gz"], "--trace wants --adapter and --site too"),
        (["--from", "yesterday"], "--from: expected a time such as \"2026-03-02 09:00\", got 'yesterday'"),
        (["--from", "2026-03-02 10:00", "--to", "2026-03-02 09:00"], "--to: 2026-03-02 09:00 is not after"),
    ],
)
def test_a_dry_run_says_what_it_wants(options: list[str], says: str) -> None:
    found = cli.invoke(app, ["rules", "dry-run", str(DEFAULT), *options])
    assert isinstance(found.exception, SettingsError)
    assert says in str(found.exception)


async def test_a_dry_run_over_the_topic_counts_what_was_written_in_the_stretch(tmp_path: Path) -> None:
    write(tmp_path)
    book, bus = load_rulebook(tmp_path / "rules.yaml"), MemoryBus()
    await bus.create([topics.FLOOR_EVENTS])
    story = [
        (0, events.AgentLoggedOn(agent_id="1")),
        (10, events.AgentNotReady(agent_id="1")),
        (100, events.AgentReady(agent_id="1")),
        (200, events.AgentNotReady(agent_id="1")),
    ]
    for offset, (second, data) in enumerate(story):
        await bus.publish(topics.FLOOR_EVENTS, encode(event(second, data, offset)), key=SITE)
    await bus.flush()
    reader = await bus.read([topics.FLOOR_EVENTS])
    written = [record.written for record in await reader.getmany(timeout_s=5)]
    for second in (300, 400):
        await bus.publish(topics.FLOOR_EVENTS, encode(event(second, events.Clock())), key=SITE)
    await bus.flush()
    steps: list[tuple[int, int]] = []

    async def flags(since: datetime | None, until: datetime | None) -> int:
        (tally,) = await over_topic(bus, CONFIG, [book], since, until, lambda *step: steps.append(step))
        return len(tally.rules["away"].flags)

    assert await flags(None, None) == 2
    assert steps[-1] == (6, 6)
    assert await flags(written[-1] + timedelta(microseconds=1), None) == 1, "the floor is known from before"
    assert await flags(None, written[0] - timedelta(microseconds=1)) == 0
    first, second = await over_topic(bus, Sites(), [book, load_rulebook(DEFAULT)], None, None, lambda *_: None)
    assert len(list(differences(first, second))) == 2
