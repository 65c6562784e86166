"""What of an incident's flags different people may see. Pure.

Who may see a flag depends on its subject, queue and team. Flags of one incident mostly have these in common; where they do not,
the incident keeps the newest flag's words for each such kind, so that whoever may not see all of them reads what they may.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct

from shared.facts import Subject

MOST: Final = 50  # kinds that are kept, the newest first; with so many there may be others


class Facet(Struct, frozen=True):
    """The newest flag of those that the same people may see. All of an incident are of its site."""

    site: str
    subject: Subject
    subject_id: str
    summary_en: str
    summary_zh: str
    labels: dict[str, str]

    @property
    def kind(self) -> tuple[str, str, str]:
        """What decides who may see it."""
        return self.subject, self.labels.get("queue", ""), self.labels.get("team", "")


class Shown(Protocol):
    """A flag, or an incident of flags of one kind."""

    @property
    def site(self) -> str: ...
    @property
    def subject(self) -> Subject: ...
    @property
    def subject_id(self) -> str: ...
    @property
    def summary_en(self) -> str: ...
    @property
    def summary_zh(self) -> str: ...
    @property
    def labels(self) -> dict[str, str]: ...


def facet_of(one: Shown) -> Facet:
    return Facet(one.site, one.subject, one.subject_id, one.summary_en, one.summary_zh, one.labels)


def with_flag(facets: Sequence[Facet], before: Shown, flag: Shown) -> tuple[Facet, ...]:
    """The facets of an incident `before` which `flag` joins; none as long as all of its flags are of one kind."""
    new = facet_of(flag)
    others = [one for one in facets or (facet_of(before),) if one.kind != new.kind]
    return (new, *others)[:MOST] if others or facets else ()
