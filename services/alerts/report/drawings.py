"""The pictures of an incident report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from services.alerts import svg
from services.alerts.api.detailviews import TransferView
from services.alerts.core.impact import Span
from services.alerts.svg import box

WIDTH: Final = 700
INK, MUTED, GROUND, LIMIT = "#171b21", "#56606d", "#f3f5f8", "#b8231a"
LEGS: Final = {"seek": "#7fb3e6", "ring": "#e5bd4a", "brief": "#b39ae0"}
MOST_BARS: Final = 24  # conditions that get a bar each; more are drawn as how many held at a time
_SLOTS: Final = 140


class Mark(Struct, frozen=True):
    """A moment on a line; `tone` is a colour."""

    at: datetime
    text: str
    tone: str = INK


class Picture(Struct, frozen=True):
    """`source` for an `<img>`, and what it shows in words."""

    source: str
    alt: str
    width: int
    height: int


def picture(body: str, height: int, alt: str) -> Picture:
    """`body` as a whole image."""
    return Picture(svg.data_uri(svg.image(WIDTH, height, body)), alt, WIDTH, height)


def text(x: float, y: float, said: str, *, anchor: str = "start", tone: str = INK, bold: bool = False) -> str:
    return svg.text(x, y, said, anchor=anchor, tone=tone, bold=bold)


def line(x1: float, y1: float, x2: float, y2: float, tone: str = MUTED, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="4 2"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{tone}" stroke-width="1.3"{dashes}/>'


def of_transfer(transfer: TransferView, said: Mapping[str, str], limit: str, alt: str) -> Picture:
    """The legs one after the other, and the limit. `said`: of each leg its name and how long it took."""
    legs = [(leg.name, leg.seconds or leg.open_s or 0.0) for leg in transfer.legs]
    whole = max(transfer.total_s or 0.0, transfer.limit_s, sum(lasted for _, lasted in legs), 0.1) * 1.1
    found, at = [box(0, 6, WIDTH, 20, GROUND)], 0.0
    for name, lasted in legs:
        width = WIDTH * lasted / whole
        found.append(box(at, 6, width, 20, LEGS[name]))
        if width > 90:
            found.append(text(at + 5, 20, said[name]))
        at += width
    x = WIDTH * transfer.limit_s / whole
    found.append(line(x, 0, x, 30, LIMIT, dashed=True))
    found.append(text(x, 41, limit, anchor="end" if x > WIDTH * 0.8 else "middle", tone=LIMIT))
    return picture("".join(found), 44, alt)


def of_conditions(spans: Sequence[Span], until: datetime, times: Sequence[str], tone: str, alt: str) -> Picture:
    """When each flag's condition held: a bar each, or of many how many held at a time. `times`: the words at both ends.

    What has no known end is drawn faint up to `until`, the newest time that is known of any of them.
    """
    spans = sorted(spans, key=lambda one: one.started)
    first = spans[0].started
    whole = max((until - first).total_seconds(), 0.1)

    def x(at: datetime) -> float:
        return min(WIDTH, max(0.0, WIDTH * (at - first).total_seconds() / whole))

    if len(spans) <= MOST_BARS:
        row = 10 if len(spans) > 6 else 16
        height = row * len(spans)
        found = [box(0, 0, WIDTH, height, GROUND)]
        for number, span in enumerate(spans):
            start, end = x(span.started), x(span.ended or until)
            found.append(box(start, number * row + 2, max(end - start, 2), row - 4, tone, faint=span.ended is None))
    else:
        height = 60
        found = [box(0, 0, WIDTH, height, GROUND), *_density(spans, until, x, height, tone)]
    found += [text(0, height + 13, times[0], tone=MUTED), text(WIDTH, height + 13, times[1], anchor="end", tone=MUTED)]
    return picture("".join(found), height + 18, alt)


def of_response(marks: Sequence[Mark], *, alt: str) -> Picture:
    """What people were told and did, on one line of time; a number at each moment and a legend below in the same order."""
    first, last = marks[0].at, max(mark.at for mark in marks)
    whole = max((last - first).total_seconds(), 0.1)
    found = [line(10, 16, WIDTH - 10, 16)]
    places = _apart([10 + (WIDTH - 20) * (mark.at - first).total_seconds() / whole for mark in marks], 17, WIDTH - 10)
    rows = (len(marks) + 1) // 2
    for number, (mark, x) in enumerate(zip(marks, places, strict=True), start=1):
        found.append(f'<circle cx="{x:.1f}" cy="16" r="8" fill="{mark.tone}"/>')
        found.append(text(x, 20, str(number), anchor="middle", tone="#ffffff", bold=True))
        column, row = divmod(number - 1, rows)
        found.append(text(column * WIDTH / 2, 42 + row * 15, f"{number}  {mark.text}"))
    return picture("".join(found), 42 + 15 * rows, alt)


def _apart(places: Sequence[float], least: float, last: float) -> list[float]:
    """Rising places moved as little as needed to lie `least` apart, none after `last`."""
    found: list[float] = []
    for x in places:
        found.append(max(x, found[-1] + least) if found else x)
    limit = last
    for n in reversed(range(len(found))):
        found[n] = min(found[n], limit)
        limit = found[n] - least
    return found


def _density(
    spans: Sequence[Span], until: datetime, x: Callable[[datetime], float], height: float, tone: str
) -> list[str]:
    counts = [0] * _SLOTS
    for span in spans:
        start = min(_SLOTS - 1, int(x(span.started) / WIDTH * _SLOTS))
        end = min(_SLOTS - 1, int(x(span.ended or until) / WIDTH * _SLOTS))
        for slot in range(start, end + 1):
            counts[slot] += 1
    most, width = max(counts), WIDTH / _SLOTS
    bars = (
        box(n * width, height - (height - 14) * c / most, width - 0.5, (height - 14) * c / most, tone)
        for n, c in enumerate(counts)
        if c
    )
    return [*bars, text(3, 11, f"≤ {most}", tone=MUTED)]
