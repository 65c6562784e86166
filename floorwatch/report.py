"""`floorwatch report`: a report of a period, written from what the alerts service has recorded."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class KindChoice(StrEnum):
    daily = "daily"
    weekly = "weekly"
    monthly = "monthly"
    quarterly = "quarterly"
    yearly = "yearly"


class LanguageChoice(StrEnum):
    en = "en"
    zh = "zh"
    both = "both"


def report(
    kind: Annotated[KindChoice, typer.Argument(help="Of what period.", show_default=False)],
    date: Annotated[
        str,
        typer.Option(
            help="A day of the period, 2026-11-22, or its key: 2026-W47, 2026-11, 2026-Q4, 2026. Else the newest that is over."
        ),
    ] = "",
    site: Annotated[str, typer.Option(help="Whose; need not be given where only one has records.")] = "",
    format: Annotated[str, typer.Option(help="Some of html, pdf, xlsx, csv, json, parted by commas.")] = "html,xlsx",
    lang: Annotated[LanguageChoice, typer.Option(help="In what language.")] = LanguageChoice.en,
    out: Annotated[Path, typer.Option(file_okay=False, help="Where the files go.")] = Path("reports"),
    db: Annotated[str, typer.Option(help="The alerts database (ALERTS_DB_URL).", show_default=False)] = "",
) -> None:
    """Write the report of a day, week, month, quarter or year.

    It is made of what the alerts service has recorded: queues, agents' time, transfers, flags, incidents, and what changed
    against the period before. Prints the name of each file. Exit code 2 when nothing is recorded of the period; the message then
    says since when there is something.
    """
    from floorwatch import reportfiles

    reportfiles.write(kind.value, when=date, site=site, wanted=format, languages=lang.value, out=out, url=db)
