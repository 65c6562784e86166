"""Which record of `switch.raw` something goes back to, as one word that logs, messages and tracing systems share.

A trace id (W3C Trace Context, 32 hexadecimal digits) is worked out from the record's place and not drawn by chance: a replay and
a second replica say the same, and nothing has to be carried from one process to the next. It holds eight digits of the
site (CRC-32 of its name), eight of the partition, sixteen of the offset.
"""

from __future__ import annotations

import re
from typing import Final
from zlib import crc32

_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_NONE: Final = "0" * 32
RECORD: Final = "switch.raw"  # the step with which each trace begins


def trace_id(site: str, partition: int, offset: int) -> str:
    """Of what goes back to this record; "" for what goes back to none (a negative place)."""
    if partition < 0 or offset < 0:
        return ""
    return f"{crc32(site.encode()) or 1:08x}{partition & 0xFFFFFFFF:08x}{offset & 0xFFFFFFFFFFFFFFFF:016x}"


def place_of(trace: str) -> tuple[int, int]:
    """Partition and offset of the record that a trace id stands for. ValueError for what is none of ours."""
    if not re.fullmatch(r"[0-9a-f]{32}", trace) or trace == _NONE:
        raise ValueError(f"{trace!r} is no trace id: 32 hexadecimal digits are expected")
    return int(trace[8:16], 16), int(trace[16:], 16)


def traceparent(trace: str, step: str) -> str:
    """The CloudEvents attribute and header `traceparent` for `step`, an id within the trace; "" without a trace."""
    if not trace:
        return ""
    return f"00-{trace}-{step_id(step)}-01"


def step_id(step: str) -> str:
    """The id of `step` within its trace (a span's), 16 hexadecimal digits."""
    return f"{crc32(step.encode()) or 1:08x}{crc32(step[::-1].encode()) or 1:08x}"


def step_of(parent: str) -> str:
    """The step that a `traceparent` names; "" for what cannot be read."""
    found = _TRACEPARENT.fullmatch(parent)
    return "" if found is None else found[2]


def trace_of(parent: str) -> str:
    """The trace id of a `traceparent`; "" for none, and for what cannot be read: it decides nothing."""
    found = _TRACEPARENT.fullmatch(parent)
    return "" if found is None or found[1] == _NONE else found[1]
