"""Captured traces as raw records: what a connector would have written to `switch.raw`, read from a file.

Each kind plain or gzipped. The log of finished calls that some vendors' files are is read by `floorwatch.rowlogs`; the other
two are told apart by their first bytes:

- JSON lines. `{"t": epoch seconds, "event": {...}}`, further keys allowed: `event` becomes the record's value, `t` its
  time of receipt. A CloudEvent on a line of its own (`specversion`, `time`) is a record as it stands.
- AMI text as it came from the socket: a greeting, then packets of `Key: value` lines with blank lines between. The time
  of receipt is the packet's `Timestamp`, or the last one seen before it.

Such a file is read as a stream, so its size does not matter. What is damaged is told by line and reason, and passed over.
"""

from __future__ import annotations

import gzip
import os
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec

from floorwatch.rowlogs import in_order, is_log
from shared.clock import from_epoch
from shared.errors import SettingsError
from shared.raw import Raw

LONGEST_LINE: Final = 4 << 20  # bytes; a longer one is no packet
WAITING_PACKETS: Final = 20_000  # packets before the first stamp: answers to the monitor's questions when it logs in
_LATEST: Final = 4_102_444_800.0  # 2100-01-01, beyond which a time is a mistake

_GZIP = b"\x1f\x8b"
_json = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Damage:
    """A line, from 1, that was passed over, and why."""

    line: int
    reason: str


class Trace:
    """A trace file. `read_bytes` of `total_bytes` (as stored) tell how far `raws` has come."""

    def __init__(self, path: Path, on_damage: Callable[[Damage], None] | None = None) -> None:
        """Raises SettingsError when `path` cannot be opened."""
        self.path = path
        self.damages = 0
        self._on_damage = on_damage
        self._line = 0
        try:
            self._file: IO[bytes] = path.open("rb")
        except OSError as exc:
            raise SettingsError(f"{path}: cannot be read: {exc.strerror}") from exc
        self.total_bytes = os.fstat(self._file.fileno()).st_size
        self.read_bytes = 0
        self._numbers = array("Q")  # of the lines of a log, which are not read in their order

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def raws(
        self,
        *,
        site: str,
        vendor: str = "asterisk",
        connector: str = "replay",
        shift_s: float = 0.0,
        time_zone: str = "",
        beat: timedelta | None = None,
    ) -> Iterator[Raw]:
        """Every record of the file in order, from its beginning: partition 0, offsets from 0.

        `time_zone` and `beat` are for logs, as `rowlogs.in_order` has them.
        """
        session = self.path.name
        records = self._rows(time_zone, beat) if is_log(vendor) else self._records()
        for ordinal, (value, received) in enumerate(records):
            yield Raw(
                value=value,
                vendor=vendor,
                site=site,
                connector=connector,
                received=received,
                session=session,
                seq=ordinal,
                shift_s=shift_s,
                partition=0,
                offset=ordinal,
            )

    def line_of(self, offset: int) -> int | None:
        """The line, from 1, that the record with this offset is; None where records are not lines."""
        return self._numbers[offset] if offset < len(self._numbers) else None

    # ------------------------------------------------------------ logs of finished calls

    def _rows(self, time_zone: str, beat: timedelta | None) -> Iterator[tuple[bytes, datetime]]:
        numbered = ((self._line, line) for line in self._lines())
        self._numbers = array("Q")
        rows = 0
        for row in in_order(numbered, time_zone, self._written(), beat):
            rows += row.number > 0
            self._numbers.append(row.number)
            self.read_bytes = self.total_bytes * rows // max(self._line, 1)
            yield row.value, row.at
        self.read_bytes = self.total_bytes

    # ------------------------------------------------------------ lines

    def _records(self) -> Iterator[tuple[bytes, datetime]]:
        lines = self._lines()
        for first in lines:
            if not first.strip():
                continue
            if first.lstrip().startswith(b"{"):
                yield from self._from_json(first, lines)
            else:
                yield from self._from_ami(first, lines)

    def _lines(self) -> Iterator[bytes]:
        """The file's lines without their ends, decompressed if need be."""
        self._file.seek(0)
        self._line = self.damages = 0
        zipped = self._file.read(2) == _GZIP
        self._file.seek(0)
        source = cast(IO[bytes], gzip.GzipFile(fileobj=self._file)) if zipped else self._file
        try:
            while line := source.readline(LONGEST_LINE):
                self._line += 1
                self.read_bytes = self._file.tell()
                if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                    self._damaged(f"longer than {LONGEST_LINE} bytes")
                    while line and not line.endswith(b"\n"):
                        line = source.readline(LONGEST_LINE)
                    continue
                yield line.rstrip(b"\r\n")
        except (EOFError, gzip.BadGzipFile, zlib.error) as exc:
            self._line += 1
            self._damaged(f"the compressed file ends here or is broken: {exc}")
        self.read_bytes = self.total_bytes

    def _damaged(self, reason: str, line: int | None = None) -> None:
        self.damages += 1
        if self._on_damage is not None:
            self._on_damage(Damage(line or self._line, reason))

    # ------------------------------------------------------------ JSON lines

    def _from_json(self, first: bytes, lines: Iterator[bytes]) -> Iterator[tuple[bytes, datetime]]:
        line: bytes | None = first
        while line is not None:
            if line.strip():
                try:
                    yield _from_line(line)
                except _DamagedLineError as exc:
                    self._damaged(str(exc))
            line = next(lines, None)

    # ------------------------------------------------------------ AMI text

    def _from_ami(self, first: bytes, lines: Iterator[bytes]) -> Iterator[tuple[bytes, datetime]]:
        """Packets without a stamp take the last one; those before the first stamp wait for it."""
        now: datetime | None = None
        waiting: list[bytes] = []
        for packet, stamp in self._packets(first, lines):
            now = stamp or now
            if now is None and len(waiting) < WAITING_PACKETS:
                waiting.append(packet)
                continue
            now = now or self._written()
            for early in waiting:
                yield early, now
            waiting.clear()
            yield packet, now
        for early in waiting:
            yield early, self._written()

    def _written(self) -> datetime:
        """For a file without any stamp: when it was last written."""
        return from_epoch(os.fstat(self._file.fileno()).st_mtime)

    def _packets(self, first: bytes, lines: Iterator[bytes]) -> Iterator[tuple[bytes, datetime | None]]:
        packet: list[bytes] = []
        stamp: datetime | None = None
        line: bytes | None = first
        while line is not None:
            if not line.strip():
                if packet:
                    yield b"\r\n".join(packet), stamp
                packet, stamp = [], None
            elif line.startswith(b"Asterisk Call Manager/"):
                pass  # the greeting belongs to no packet
            elif self._is_header(line, packet):
                packet.append(line)
                stamp = _stamp(line) or stamp
            line = next(lines, None)
        if packet:
            yield b"\r\n".join(packet), stamp

    def _is_header(self, line: bytes, packet: list[bytes]) -> bool:
        name, colon, _ = line.partition(b":")
        if colon and name and b" " not in name:
            return True
        if b"Response: Follows" not in packet:  # after it comes the free text of a command's answer
            self._damaged(f"not a `Key: value` line: {line[:60].decode('utf-8', 'replace')!r}")
        return False


def _stamp(line: bytes) -> datetime | None:
    if not line.startswith(b"Timestamp:"):
        return None
    try:
        seconds = float(line[10:])
    except ValueError:
        return None
    return from_epoch(seconds) if 0 < seconds < _LATEST else None


def _from_line(line: bytes) -> tuple[bytes, datetime]:
    try:
        content = _json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise _DamagedLineError(f"not JSON: {exc}") from exc
    if not isinstance(content, dict):
        raise _DamagedLineError("not a JSON object")
    if "specversion" in content:
        return _cloud_event(line, content)
    if not isinstance(content.get("event"), dict):
        raise _DamagedLineError("no object `event`")
    t = content.get("t")
    if isinstance(t, bool) or not isinstance(t, int | float) or not 0 < t < _LATEST:
        raise _DamagedLineError("no time `t` in epoch seconds")
    return msgspec.json.encode(content["event"]), from_epoch(t)


def _cloud_event(line: bytes, content: dict[str, Any]) -> tuple[bytes, datetime]:
    for name in ("receivedtime", "time"):
        try:
            found = msgspec.convert(content.get(name), datetime)
        except msgspec.ValidationError:
            continue
        if found.tzinfo is not None:
            return line, found.astimezone(UTC)
    raise _DamagedLineError("no `time` with a time zone")


class _DamagedLineError(Exception):
    """A line that is no record; the message says why."""
