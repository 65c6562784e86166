"""The section `reports` of the alert file: which reports are sent to whom, and when."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final, Literal

from msgspec import Struct

from services.alerts.alertfile.receivers import Reading
from services.alerts.periodic.period import Kind, Language
from services.alerts.periodic.schedule import Plan

_AT: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_LANGUAGES: Final[dict[str, tuple[Language, ...]]] = {"en": ("en",), "zh": ("zh",), "both": ("en", "zh")}


class ReportConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A report that is sent after each of its periods, `at` the site's time; without `sites` for each that has records."""

    kind: Kind
    to: tuple[str, ...]
    at: str = "07:30"
    sites: tuple[str, ...] = ()
    formats: tuple[Literal["html", "pdf", "xlsx", "csv", "json"], ...] = ("html", "xlsx")
    language: Literal["en", "zh", "both"] = "both"


def read_reports(written: Sequence[ReportConfig], receivers: Collection[str], file: Reading) -> tuple[Plan, ...]:
    """Checked. Raises SettingsError that names file, line and key."""
    return tuple(_plan(one, f"reports[{number}]", receivers, file) for number, one in enumerate(written))


def _plan(one: ReportConfig, key: str, receivers: Collection[str], file: Reading) -> Plan:
    found = _AT.fullmatch(one.at.strip())
    if found is None:
        raise file.wrong(f"{key}.at", f'expected a time such as "07:30", got {one.at!r}')
    if not one.to:
        raise file.wrong(f"{key}.to", "expected at least one receiver")
    for name in one.to:
        if name not in receivers:
            there = ", ".join(sorted(receivers)) or "none"
            raise file.wrong(f"{key}.to", f"there is no receiver {name!r}; there are: {there}")
    if not one.formats:
        raise file.wrong(f"{key}.formats", "expected at least one of html, pdf, xlsx, csv, json")
    return Plan(
        kind=one.kind,
        at=60 * int(found[1]) + int(found[2]),
        to=tuple(dict.fromkeys(one.to)),
        sites=one.sites,
        formats=tuple(dict.fromkeys(one.formats)),
        languages=_LANGUAGES[one.language],
    )
