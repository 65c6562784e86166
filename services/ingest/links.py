"""Link records: what a connector says of its own connection, and of commands. The same for every vendor, so no adapter sees them.

Their value is a CloudEvent of type `floorwatch.link_up.v1`, `floorwatch.link_down.v1` or `floorwatch.command_answered.v1`.
`time` is the switch's clock; a connector that does not know it leaves it out, and the time of receipt stands in; that of a
command's answer is put on the switch's clock as far as ingest knows it (`marks.SiteClock.place`).
"""

from __future__ import annotations

from datetime import datetime

from services.ingest.adapters.base import Emitter
from services.ingest.adapters.cloudevents import Reader, in_utc
from shared.codec import encode
from shared.envelope import cloud_type
from shared.errors import InvalidInput
from shared.events import CommandAnswered, Event, LinkDown, LinkUp
from shared.raw import Raw

_reader = Reader((LinkUp, LinkDown, CommandAnswered))


def link_value(
    data: LinkUp | LinkDown | CommandAnswered, *, id: str, source: str, time: datetime | None = None
) -> bytes:
    """The value of a link record, for connectors. `id` is unique within `source`."""
    fields: dict[str, object] = {
        "specversion": "1.0",
        "type": cloud_type(type(data)),
        "id": id,
        "source": source,
        "data": data,
    }
    if time is not None:
        fields["time"] = time
    return encode(fields)


def read_link(raw: Raw) -> list[Event]:
    """The event in a record of kind `link`.

    Raises InvalidInput like the generic adapter.
    """
    found = _reader.read(raw.value)
    if len(found) != 1:
        raise InvalidInput("invalid_event", f"$: a link record holds one event, got {len(found)}")
    link = found[0]
    if link.site and link.site != raw.site:
        raise InvalidInput("wrong_site", f"$.site: {link.site!r} in a record of site {raw.site!r}")
    emitter = Emitter(raw)
    time = raw.received if link.time is None else in_utc(link.time, raw.shift_s)
    emitter.emit(time, link.data, provenance=link.provenance, precision_ms=link.precisionms)
    return emitter.events
