"""Whatever numbers and times an event brings, it is refused by name, or the engine goes on and can be written down."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
import pytest

from services.ingest.adapters.cloudevents import ACCEPTED
from services.ingest.adapters.generic import GenericAdapter
from services.monitor.core.engine import Engine
from shared import events
from shared.codec import decode_event, encode
from shared.envelope import Data, cloud_type
from shared.errors import InvalidInput
from shared.raw import Raw
from tests.floorkit import CONFIG, RULES, SITE, at, event

WHOLE: Final = (2**31, 2**63 - 1, 2**63, 2**64, 10**30, -1, -(2**63), -(10**30))
BROKEN: Final = (1e308, -1e308, 1e-308, 0.0, -1.0, 1e18, 9e15)
TIMES: Final = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T23:59:59.999999Z",
    "2026-11-22T09:00:00",
)
IDS: Final = {"agent_id": "a1", "call_id": "c1", "leg_id": "l1", "transfer_id": "t1", "queue": "sales"}
FOR_ALL: Final = {"time": TIMES, "precisionms": WHOLE}
PLACES: Final = dict.fromkeys(("rawpartition", "rawoffset", "rawindex"), WHOLE)


def extremes(form: Any) -> tuple[Any, ...]:
    """For a field of this type; of a text none."""
    parts = {getattr(part, "__origin__", part) for part in (typing.get_args(form) or (form,))} | {form}
    values = ((int, WHOLE), (float, BROKEN), (datetime, TIMES))
    return tuple(value for kind, some in values if kind in parts for value in some)


def ordinary(name: str, form: Any) -> Any:
    if typing.get_origin(form) is typing.Literal:
        return typing.get_args(form)[0]
    return {bool: True, int: 1, float: 1.0}.get(form, IDS.get(name, "x"))


def written(kind: type[Data], around: dict[str, tuple[Any, ...]], **envelope: Any) -> Iterator[dict[str, Any]]:
    """One event of a kind for each extreme value of each of its fields, and for those of `around` in its envelope."""
    fields = msgspec.structs.fields(kind)
    data = {one.name: ordinary(one.name, one.type) for one in fields if one.required}
    base = {"specversion": "1.0", "id": "e1", "source": "/s", "type": cloud_type(kind), "time": at(5).isoformat()}
    base |= envelope
    for one in fields:
        for value in extremes(one.type):
            yield base | {"data": data | {one.name: value}}
    for name, values in around.items():
        for value in values:
            yield base | {name: value, "data": data}


def survives(found: list[events.Event]) -> None:
    """A floor that hears these goes on, shows itself, and comes back from its checkpoint."""
    engine = Engine(CONFIG, RULES)
    before = (events.LinkUp(connector="c"), events.AgentLoggedOn(agent_id="a1", queues=("sales",)))
    for second, data in enumerate(before):
        engine.apply(event(second, data, second))
    for one in found:
        engine.apply(one)
    for _ in range(20):
        due = engine.next_deadline()
        if due is None or due > at(3000):
            break
        engine.tick(due)
    engine.tick(at(3000))
    other = Engine(CONFIG, RULES)
    other.load(engine.dump())
    assert msgspec.to_builtins(other.floor_view()) == msgspec.to_builtins(engine.floor_view())
    engine.apply(event(3001, events.AgentReady(agent_id="a1"), 500))
    engine.changes()


def read(data: bytes) -> list[events.Event]:
    """As what is on the topic is read; nothing when it is refused, which must say why."""
    try:
        return [decode_event(data)]
    except InvalidInput as exc:
        refused = exc.reason
    assert refused in ("invalid_event", "time_out_of_range")
    return []


def translated(value: bytes) -> list[events.Event]:
    """What a producer sends, as it comes onto the topic."""
    adapter = GenericAdapter(SITE, CONFIG.site(SITE))
    raw = Raw(value=value, vendor="generic", site=SITE, connector="c", received=at(5), partition=0, offset=10)
    try:
        found = adapter.feed(raw)
    except InvalidInput as exc:
        refused = exc.reason
    else:
        GenericAdapter(SITE, CONFIG.site(SITE)).load(adapter.dump())
        return [again for one in found for again in read(encode(one))]
    assert refused in ("invalid_event", "time_out_of_range")
    return []


@pytest.mark.parametrize("kind", ACCEPTED, ids=lambda kind: kind.__name__)
def test_of_a_producer_however_extreme(kind: type[Data]) -> None:
    taken = [found for one in written(kind, FOR_ALL | {"sequence": WHOLE}) if (found := translated(encode(one)))]
    assert taken, "what is merely unusual is taken"
    for found in taken:
        survives(found)


@pytest.mark.parametrize("kind", events.DATA_TYPES, ids=lambda kind: kind.__name__)
def test_of_whoever_writes_to_the_topic_however_extreme(kind: type[Data]) -> None:
    of_all = FOR_ALL | PLACES | {"receivedtime": TIMES}
    taken = [
        found for one in written(kind, of_all, site=SITE, rawpartition=0, rawoffset=20) if (found := read(encode(one)))
    ]
    assert taken
    for found in taken:
        survives(found)
