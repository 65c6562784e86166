"""From what the client read to records of ours: whatever a producer wrote, no field of them is anything else than it says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from shared.bus import Headers, Record
from shared.clock import EPOCH
from shared.envelope import LATEST

# A producer may stamp what it likes, such as microseconds for milliseconds: what is beyond our calendar is put at its end.
_LATEST_MS: Final = int(LATEST.timestamp() * 1000)


class Records:
    """Makes them. Neighbours share their millisecond, so the last stamp is kept."""

    def __init__(self) -> None:
        self._stamp = 0, EPOCH

    def of(self, batch: list[Any]) -> list[Record]:
        """One for each of `batch`, in its order."""
        records = []
        at, written = self._stamp
        for found in batch:
            if found.timestamp != at:
                at = found.timestamp
                written = datetime.fromtimestamp(min(max(at, 0), _LATEST_MS) / 1000, UTC)
            records.append(
                Record(
                    found.topic,
                    found.partition,
                    found.offset,
                    found.key or b"",
                    found.value or b"",
                    _headers(found.headers),
                    written,
                )
            )
        self._stamp = at, written
        return records


def _headers(found: tuple[tuple[str, bytes | None], ...]) -> Headers:
    for _, value in found:
        if value is None:
            return tuple((name, value or b"") for name, value in found)
    return found  # type: ignore[return-value]  # none of them is None
