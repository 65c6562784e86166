"""Flags that this service raises by itself: of a site that is not heard, of a receiver that cannot be reached. Pure.

Nobody publishes them, so no topic brings their end: whoever raised one clears it. Instances agree without asking each other: an
id derives from what the flag says, and what is raised already is not raised again (`fresh`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from services.alerts.core.incident import OWN_PREFIX, Clearing, Flag, topic_of
from shared.facts import Severity

OURSELVES: Final = "floorwatch"  # the site of what is about no site: who may see every site sees it


class OwnFlag(Struct, frozen=True):
    """A flag of ours whose condition holds."""

    flag_id: str
    site: str
    rule: str
    subject_id: str
    started: datetime

    def cleared(self, at: datetime, evidence: dict[str, Any] | None = None) -> Clearing:
        """Its end. A clock that was set back makes no negative duration."""
        return Clearing(
            flag_id=self.flag_id,
            cleared=at,
            duration_s=max(0.0, (at - self.started).total_seconds()),
            evidence=evidence or {},
        )


def own_flag(
    rule: str,
    *,
    started: datetime,
    raised: datetime,
    summary_en: str,
    summary_zh: str,
    site: str = OURSELVES,
    subject_id: str = "",
    severity: Severity = "critical",
    labels: dict[str, str] | None = None,
    evidence: dict[str, Any] | None = None,
) -> Flag:
    """A flag about a site, or about a part of ourselves (`subject_id`). Its id derives from what it is about and `raised`."""
    subject_id = subject_id or site
    return Flag(
        flag_id=f"{OWN_PREFIX}{rule}:{site}:{subject_id}:{raised.isoformat()}",
        site=site,
        rule=rule,
        severity=severity,
        subject="site",
        subject_id=subject_id,
        started=started,
        raised=raised,
        summary_en=summary_en,
        summary_zh=summary_zh,
        labels=labels or {},
        evidence=evidence or {},
    )


def fresh(flags: Iterable[Flag], standing: Collection[OwnFlag]) -> list[Flag]:
    """Those of which nothing stands yet: one about the same, whoever raised it and since when, is enough."""
    known = {(one.site, topic_of(one.rule, "site", one.subject_id)) for one in standing}
    found: list[Flag] = []
    for flag in flags:
        about = (flag.site, flag.topic)
        if about not in known:
            known.add(about)
            found.append(flag)
    return found


def known_only(clearings: Iterable[Clearing], standing: Collection[OwnFlag]) -> Sequence[Clearing]:
    """Those of flags that stand."""
    ids = {one.flag_id for one in standing}
    return [one for one in clearings if one.flag_id in ids]
