"""SUMMARY.json: the figures of a recording, in the shape that its adapter has."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from floorwatch.summary.bank import BankSummary
from floorwatch.summary.general import GeneralSummary
from services.ingest.adapters.anonymous_bank import AnonymousBankAdapter
from services.ingest.adapters.base import Adapter
from shared.errors import SettingsError
from shared.facts import Fact
from shared.siteconfig import SiteConfig

if TYPE_CHECKING:
    from floorwatch.replay import Summary
    from floorwatch.replayreport import Complaints

_GZIP = b"\x1f\x8b"


def writable(path: Path, option: str) -> TextIO:
    """`path`, open and empty. Raises SettingsError that names the option."""
    try:
        return path.open("w", encoding="utf-8")
    except OSError as exc:
        raise SettingsError(f"{option}: {path} cannot be written: {exc.strerror}") from exc


def sha256_of(path: Path) -> str | None:
    """Of the content, unpacked if it is packed; None when it cannot be unpacked to its end."""
    found = hashlib.sha256()
    with path.open("rb") as packed:
        opened = gzip.GzipFile(fileobj=packed) if packed.read(2) == _GZIP else packed
        packed.seek(0)
        try:
            while block := opened.read(1 << 20):
                found.update(block)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            return None
    return found.hexdigest()


class SummaryFile:
    """Reads facts one after the other, writes their figures at the end; without a path it does neither."""

    def __init__(self, path: Path | None, adapter: Adapter, config: SiteConfig) -> None:
        """Raises SettingsError when `path` cannot be written: before an hour's work, not after it."""
        self._path = path
        if path is not None:
            writable(path, "--summary").close()
        self._adapter = adapter
        self._bank = BankSummary(config.zone) if isinstance(adapter, AnonymousBankAdapter) else None
        self._general = GeneralSummary(config.zone)

    def add(self, fact: Fact) -> None:
        """Count a fact."""
        if self._path is not None:
            (self._bank or self._general).add(fact)

    def irregular(self) -> dict[str, int]:
        """What was irregular in the rows of a log, by name."""
        return self._adapter.counts.irregular() if isinstance(self._adapter, AnonymousBankAdapter) else {}

    def write(self, seen: Summary, complaints: Complaints, source: Path) -> None:
        """Write the figures."""
        if self._path is None:
            return
        with writable(self._path, "--summary") as file:
            json.dump(self._result(seen, complaints, source), file, ensure_ascii=False, indent=1)
            file.write("\n")

    def _result(self, seen: Summary, complaints: Complaints, source: Path) -> dict[str, Any]:
        if self._bank is not None and isinstance(self._adapter, AnonymousBankAdapter):
            return self._bank.result(self._adapter.counts, complaints.lines, sha256_of(source))
        names = ("packets", "events", "rejected", "records", "anomalies", "first", "last")
        read = {name: msgspec.to_builtins(getattr(seen, name)) for name in names}
        return self._general.result({**read, "damaged_lines": len(complaints.lines)})
