"""Raw records for tests of ingest."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.raw import Raw

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def cloud(kind: str, data: dict[str, Any], *, at_s: float = 0.0, id: str = "", **more: Any) -> dict[str, Any]:
    """A CloudEvent of ours, `at_s` seconds after T0, as a producer would write it."""
    event = {
        "specversion": "1.0",
        "type": f"floorwatch.{kind}.v1",
        "id": id or f"{kind}-{at_s}-{json.dumps(data, sort_keys=True)}",
        "source": "/test",
        "time": (T0 + timedelta(seconds=at_s)).isoformat(),
        "data": data,
    }
    return event | more


def raw(value: Any, *, offset: int = 0, received_s: float = 0.0, **more: Any) -> Raw:
    """A raw record of site `s1` holding `value` (bytes as they are, anything else as JSON)."""
    fields: dict[str, Any] = {
        "value": value if isinstance(value, bytes) else json.dumps(value).encode(),
        "vendor": "generic",
        "site": "s1",
        "connector": "c1",
        "received": T0 + timedelta(seconds=received_s),
        "partition": 0,
        "offset": offset,
    }
    return Raw(**(fields | more))
