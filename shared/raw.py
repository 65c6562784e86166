"""Raw records: what a connector heard from its switch, untouched, with the headers that say whence.

On `switch.raw` the value is the vendor's bytes and these fields are Kafka headers of the same names (text, UTF-8).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from shared.envelope import EARLIEST, LATEST, beyond
from shared.errors import InvalidInput

Headers = tuple[tuple[str, bytes], ...]

# When the topic is made anew its offsets begin at 0 again, and readers who drop what they have passed would drop it all.
# So each such life has a range of its own: offset 42 of the first is position 42, of the second 1 000 000 000 042.
LIFE: Final = 10**12

LONGEST_NAME: Final = 512  # characters of a site, connector or session: each is kept for as long as we run
LARGEST_SEQ: Final = 2**53 - 1  # what every producer can count to exactly, and sums of it fit into a checkpoint
MOST_SHIFT_S: Final = 1e10  # three centuries: from any time of ours to any other


class Raw(Struct, frozen=True, kw_only=True):
    """One raw record with its position on `switch.raw` (-1 before it is written).

    `kind` "event" is the switch's own words; "link" is the connector's: a JSON `LinkUp`, `LinkDown` or `CommandAnswered`, the
    same for every vendor. `session` names one unbroken connection and `seq` counts its records from 0: equal or smaller is a
    duplicate, a jump is a gap. `shift_s` is added to the switch's stamps (replaying a recording as if it were now); 0 otherwise.
    """

    value: bytes
    vendor: str
    site: str
    connector: str
    received: datetime
    kind: Literal["event", "link"] = "event"
    session: str = ""
    seq: int | None = None
    shift_s: float = 0.0
    partition: int = -1
    offset: int = -1

    def headers(self) -> Headers:
        """The Kafka headers of this record."""
        found = [
            ("vendor", self.vendor),
            ("site", self.site),
            ("connector", self.connector),
            ("received", self.received.isoformat()),
            ("kind", self.kind),
        ]
        if self.session:
            found.append(("session", self.session))
        if self.seq is not None:
            found.append(("seq", str(self.seq)))
        if self.shift_s:
            found.append(("shift_s", repr(self.shift_s)))
        return tuple((name, text.encode()) for name, text in found)


def from_record(
    value: bytes, headers: Iterable[tuple[str, bytes]], partition: int, offset: int, written: datetime
) -> Raw:
    """The raw record that a Kafka record holds; `written` (the broker's stamp) stands in for a missing `received`.

    Of a header that is there twice the last counts. Raises InvalidInput `bad_headers` when `vendor` or `site` is missing, or a
    header cannot be read or is beyond its bounds.
    """
    try:
        found = {name: text.decode() for name, text in headers}
        return Raw(
            value=value,
            vendor=found["vendor"],
            site=_name(found["site"], "site"),
            connector=_name(found.get("connector", found["vendor"]), "connector"),
            received=_received(found["received"]) if "received" in found else _stamped(written),
            kind="link" if found.get("kind") == "link" else "event",
            session=_name(found["session"], "session", least=0) if "session" in found else "",
            seq=_seq(found["seq"]) if "seq" in found else None,
            shift_s=_shift(found["shift_s"]) if "shift_s" in found else 0.0,
            partition=partition,
            offset=offset,
        )
    except KeyError as exc:
        raise InvalidInput("bad_headers", f"header {exc.args[0]} is missing, needed are vendor and site") from exc
    except ValueError as exc:
        raise InvalidInput("bad_headers", f"a header cannot be read: {exc}") from exc


def _name(text: str, header: str, *, least: int = 1) -> str:
    if not least <= len(text) <= LONGEST_NAME:
        raise ValueError(f"{header} has {len(text)} characters, expected {least} to {LONGEST_NAME}")
    return text


def _received(text: str) -> datetime:
    received = datetime.fromisoformat(text)
    if received.tzinfo is None:
        raise ValueError("received has no time zone")
    if why := beyond(received):
        raise ValueError(f"received: {why}")
    return received


def _stamped(written: datetime) -> datetime:
    if not EARLIEST < written < LATEST:  # where stamps are put that are of no calendar
        raise ValueError("received is missing, and the record's stamp is no time of ours")
    return written


def _seq(text: str) -> int:
    seq = int(text)
    if not 0 <= seq <= LARGEST_SEQ:
        raise ValueError(f"seq is not between 0 and {LARGEST_SEQ}")
    return seq


def _shift(text: str) -> float:
    shift_s = float(text)
    if not -MOST_SHIFT_S <= shift_s <= MOST_SHIFT_S:  # nor is what is no number
        raise ValueError(f"shift_s is not between {-MOST_SHIFT_S:g} and {MOST_SHIFT_S:g}")
    return shift_s
