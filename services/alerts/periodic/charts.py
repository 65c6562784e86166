"""Charts as SVG: dark on white, read without colour too (marks, words, labels). Drawn as wide as the page lets them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from services.alerts.cleaning import clean
from services.alerts.periodic import colours
from services.alerts.svg import box, image, text

WIDTH: Final = 720.0
_DASHES: Final = ("", "7 3", "2 3", "9 3 2 3")
_LEFT, _RIGHT, _TOP = 52.0, 12.0, 14.0

Write = Callable[[float], str]


class Series(Struct, frozen=True):
    """A line or a row of bars; None is a gap."""

    name: str
    colour: str
    values: Sequence[float | None]


def line(
    labels: Sequence[str],
    series: Sequence[Series],
    write: Write,
    *,
    limit: tuple[float, str] | None = None,
    most: float | None = None,
    height: float = 184.0,
) -> str:
    """Lines over time; `most`: the highest value there can be. Lines have dashes of their own beside their colours."""
    values = [value for one in series for value in one.values if value is not None]
    top = most if most is not None else nice(max([*values, limit[0] if limit else 0.0, 0.0]))
    bottom, parts = height - 44.0, list[str]()
    x, y = _scales(len(labels), top, bottom)
    parts += _grid(top, bottom, write)
    parts += _axis(labels, x, bottom)
    for number, one in enumerate(series):
        dash = f' stroke-dasharray="{_DASHES[number % len(_DASHES)]}"' if number % len(_DASHES) else ""
        for run in _runs(one.values):
            points = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in run)
            if len(run) == 1:
                parts.append(f'<circle cx="{x(run[0][0]):.1f}" cy="{y(run[0][1]):.1f}" r="2.4" fill="{one.colour}"/>')
            else:
                parts.append(
                    f'<polyline points="{points}" fill="none" stroke="{one.colour}" stroke-width="1.8" '
                    f'stroke-linejoin="round"{dash}/>'
                )
    if limit is not None:
        parts += _limit(y(limit[0]))
    parts += _legend(series, height - 6.0, lines=True, limit=limit[1] if limit else "")
    return image(WIDTH, height, "".join(parts))


def bars(labels: Sequence[str], series: Sequence[Series], write: Write) -> str:
    """Bars that lie, longest names on the left; parts of `series` one behind the other, their sum written at the end."""
    step, gap, left = 20.0, 6.0, 190.0
    sums = [sum(one.values[place] or 0.0 for one in series) for place in range(len(labels))]
    top = max([*sums, 1e-9])
    legend = 20.0 if len(series) > 1 else 0.0
    height = len(labels) * step + legend + 4.0
    parts = list[str]()
    for place, label in enumerate(labels):
        upper, at = place * step + 2.0, left
        parts.append(_text(left - 8, upper + 11.5, _short(label, 30), anchor="end"))
        for one in series:
            width = (one.values[place] or 0.0) / top * (WIDTH - left - 80.0)
            if width > 0:
                parts.append(box(at, upper, width, step - gap, one.colour))
            at += width
        parts.append(_text(at + 6, upper + 11.5, write(sums[place]), bold=True))
    if legend:
        parts += _legend(series, height - 6.0)
    return image(WIDTH, height, "".join(parts))


def columns(labels: Sequence[str], series: Sequence[Series], write: Write, *, height: float = 184.0) -> str:
    """Bars that stand, parts stacked: how much there was of what over time."""
    sums = [sum(one.values[place] or 0.0 for one in series) for place in range(len(labels))]
    top, bottom = nice(max([*sums, 0.0])), height - 44.0
    x, y = _scales(len(labels), top, bottom, centred=True)
    wide = (WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    parts = _grid(top, bottom, write) + _axis(labels, x, bottom)
    for place in range(len(labels)):
        at = 0.0
        for one in series:
            value = one.values[place] or 0.0
            if value > 0:
                upper = y(at + value)
                parts.append(box(x(place) - wide * 0.38, upper, wide * 0.76, y(at) - upper, one.colour))
            at += value
    parts += _legend(series, height - 6.0)
    return image(WIDTH, height, "".join(parts))


def stacked_row(
    shares: Sequence[float | None], fills: Sequence[str], *, width: float = 220.0, height: float = 12.0
) -> str:
    """One bar of parts of a whole, for a row of a table; a thin white line parts them."""
    parts, at = [box(0, 0, width, height, colours.GROUND)], 0.0
    for share, fill in zip(shares, fills, strict=True):
        wide = (share or 0.0) * width
        if wide > 0.05:
            parts.append(box(at, 0, max(0.4, wide - 0.8), height, fill))
        at += wide
    return image(width, height, "".join(parts), stretch=True)


def heat_row(values: Sequence[float | None], top: float, *, width: float = 288.0, height: float = 14.0) -> str:
    """One strip of intervals, pale for little and dark for much; hatched where nothing is known."""
    wide = width / max(1, len(values))
    parts = [
        '<defs><pattern id="n" width="4" height="4" patternUnits="userSpaceOnUse">'
        '<path d="M0 4L4 0" stroke="#b9c0c9" stroke-width="0.8"/></pattern></defs>',
        f'<rect x="0" y="0" width="{width:g}" height="{height:g}" fill="url(#n)"/>',
    ]
    for place, value in enumerate(values):
        if value is not None:
            share = value / top if top > 0 else 0.0
            parts.append(box(place * wide, 0, wide + 0.15, height, colours.heat(share)))
    return image(width, height, "".join(parts), stretch=True)


def tick_row(ticks: Sequence[tuple[float, str]], *, width: float = 210.0, height: float = 15.0) -> str:
    """What stands where along a strip of the same width."""
    parts = []
    for at, label in ticks:
        anchor = "start" if at < 0.02 else "end" if at > 0.98 else "middle"
        parts.append(f'<path d="M{at * width:.1f} {height - 3:g}v3" stroke="{colours.MUTED}" stroke-width="0.8"/>')
        parts.append(_text(at * width, height - 4.5, label, anchor=anchor, tone=colours.MUTED))
    return image(width, height, "".join(parts))


def nice(most: float) -> float:
    """A round number not below `most`, to end an axis with."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= most * 0.999999)


def _scales(
    count: int, top: float, bottom: float, *, centred: bool = False
) -> tuple[Callable[[float], float], Callable[[float], float]]:
    room = WIDTH - _LEFT - _RIGHT
    wide = room / max(1, count if centred else count - 1)
    shift = wide / 2 if centred else 0.0
    return (
        lambda place: _LEFT + shift + place * wide,
        lambda value: bottom - (bottom - _TOP) * min(1.0, max(0.0, value / top)),
    )


def _grid(top: float, bottom: float, write: Write) -> list[str]:
    parts = []
    for quarter in range(5):
        at = bottom - (bottom - _TOP) * quarter / 4
        parts.append(f'<path d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}" stroke="{colours.LINE}" stroke-width="1"/>')
        if quarter % 2 == 0:
            parts.append(_text(_LEFT - 6, at + 4, write(top * quarter / 4), anchor="end", tone=colours.MUTED))
    return parts


def _axis(labels: Sequence[str], x: Callable[[float], float], bottom: float) -> list[str]:
    """Labels that have room, evenly spaced."""
    longest = max((len(label) for label in labels), default=1)
    fits = max(2, int((WIDTH - _LEFT - _RIGHT) / (longest * 6.4 + 14)))
    step = max(1, math.ceil(len(labels) / fits))
    step = next((nicer for nicer in (1, 2, 4, 8, 12, 16, 24, 48) if nicer >= step), step)
    return [
        _text(x(place), bottom + 14, label, anchor="middle", tone=colours.MUTED)
        for place, label in enumerate(labels)
        if place % step == 0
    ]


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Stretches without a gap."""
    runs: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((place, value))
    return [run for run in runs if run]


def _limit(at: float) -> list[str]:
    return [
        f'<path d="M{_LEFT} {at:.1f}H{WIDTH - _RIGHT}" stroke="{colours.CRITICAL}" stroke-width="1.2" stroke-dasharray="4 3"/>',
    ]


def _legend(series: Sequence[Series], at: float, *, lines: bool = False, limit: str = "") -> list[str]:
    parts, x = list[str](), _LEFT
    for number, one in enumerate(series):
        if lines:
            dash = f' stroke-dasharray="{_DASHES[number % len(_DASHES)]}"' if number % len(_DASHES) else ""
            parts.append(f'<path d="M{x:.1f} {at - 4:.1f}h22" stroke="{one.colour}" stroke-width="2"{dash}/>')
        else:
            parts.append(box(x + 10, at - 9, 11, 10, one.colour))
        parts.append(_text(x + 27, at, one.name))
        x += 44 + sum(11.5 if ord(c) > 0x2E7F else 6.6 for c in one.name)
    if limit:
        parts.append(
            f'<path d="M{x:.1f} {at - 4:.1f}h22" stroke="{colours.CRITICAL}" stroke-width="1.2" stroke-dasharray="4 3"/>'
        )
        parts.append(_text(x + 27, at, limit))
    return parts


def _short(text: str, most: int) -> str:
    """At most as wide as `most` Latin letters."""
    room, kept = float(most), ""
    for c in clean(text):
        room -= 1.75 if ord(c) > 0x2E7F else 1.0
        if room < 0:
            return kept.rstrip() + "…"
        kept += c
    return kept


def _text(x: float, y: float, said: str, *, anchor: str = "start", tone: str = colours.TEXT, bold: bool = False) -> str:
    return text(x, y, said, anchor=anchor, tone=tone, bold=bold)
