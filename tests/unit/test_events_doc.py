"""docs/events.md says what the classes say."""

from __future__ import annotations

import json

import msgspec
import pytest

from floorwatch.eventdocs import PAGE, example_of, meaning_of, render
from shared import events, facts, schemas
from shared.codec import decode_event, decode_fact
from shared.envelope import Data, cloud_type

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
