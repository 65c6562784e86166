"""docs/events.md says what the classes say."""

from __future__ import annotations

import json
import re
import shlex
import sys
from types import ModuleType
from typing import Any

import msgspec
import pytest

from floorwatch.eventdocs import PAGE, example_of, meaning_of, render
from services.ingest.pipeline import IngestMachine
from shared import events, facts, schemas
from shared.clock import SystemClock
from shared.codec import decode_event, decode_fact
from shared.envelope import Data, cloud_type
from shared.raw import from_record
from shared.siteconfig import Sites

ALL = [*events.DATA_TYPES, *facts.DATA_TYPES]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "docs/events.md is old: run `make docs`"


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_field_has_a_meaning(kind: type[Data]) -> None:
    for field in msgspec.structs.fields(kind):
        assert meaning_of(kind, field.name)


@pytest.mark.parametrize("kind", events.DATA_TYPES, ids=lambda kind: kind.__name__)
def test_event_examples_can_be_read(kind: type[Data]) -> None:
    assert type(decode_event(json.dumps(example_of(kind)).encode()).data) is kind


@pytest.mark.parametrize("kind", facts.DATA_TYPES, ids=lambda kind: kind.__name__)
def test_fact_examples_can_be_read(kind: type[Data]) -> None:
    assert type(decode_fact(json.dumps(example_of(kind)).encode()).data) is kind


@pytest.mark.parametrize("topic", schemas.MESSAGES, ids=lambda topic: topic.name)
def test_schemas_say_that_times_need_a_zone(topic: object) -> None:
    for type_, envelope in schemas.MESSAGES[topic].items():  # type: ignore[index]
        schema = schemas.schema_of(envelope, type_)
        (own,) = (d for d in schema["$defs"].values() if "specversion" in d["properties"])
        assert own["properties"]["time"]["format"] == "date-time"
        assert own["properties"]["type"]["enum"] == [type_]


def test_a_type_word_is_unique_on_its_topic() -> None:
    for messages in (events.DATA_TYPES, facts.FLAG_TYPES, facts.RECORD_TYPES):
        words = [cloud_type(kind) for kind in messages]
        assert len(set(words)) == len(words)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def told(records: list[tuple[bytes, Any]]) -> list[type[Data]]:
    """What ingest makes of records written as the page says."""
    machine = IngestMachine(Sites())
    found: list[type[Data]] = []
    for offset, (value, headers) in enumerate(records):
        found += [
            type(event.data) for event in machine.apply(from_record(value, headers, 0, offset, SystemClock().now()))
        ]
    return found


def test_the_python_example_feeds_a_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a Kafka client of the usual form in place of the real one."""
    sent: list[tuple[bytes, Any]] = []

    class KafkaProducer:
        def __init__(self, bootstrap_servers: str) -> None: ...

        def send(self, topic: str, *, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
            assert (topic, key) == ("switch.raw", b"hq")
            sent.append((value, headers))

        def flush(self) -> None: ...

    client = ModuleType("kafka")
    client.KafkaProducer = KafkaProducer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kafka", client)
    exec(blocks("python")[0], {})
    assert told(sent) == [events.LinkUp, events.AgentLoggedOn, events.AgentReady]


def test_the_curl_example_feeds_a_floor() -> None:
    words = shlex.split(blocks("sh")[0])
    assert words[3].startswith("http://127.0.0.1:8601/api/v1/raw/hq?")
    headers = [("vendor", b"generic"), ("site", b"hq"), ("connector", b"pbx-a")]
    assert told([(words[-1].encode(), headers)]) == [events.LinkUp, events.AgentLoggedOn]


def test_the_link_record_example_is_one() -> None:
    headers = [("vendor", b"asterisk"), ("site", b"hq"), ("kind", b"link")]
    assert told([(blocks("json")[0].encode(), headers)]) == [events.LinkDown]
