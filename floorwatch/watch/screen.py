"""The picture as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from floorwatch.watch.picture import Entity, Picture

STALE_S: Final = 3.0
NO_DATA: Final = "–"
WIDE: Final = 110  # characters that a queue with its day takes
_COUNTED: Final = ("ready", "talk", "wrap", "break")
_TONES: Final = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
_SEVERITY: Final = {"critical": 0, "warning": 1, "info": 2}
_STATES: Final = {
    "ready": ("●", "green"),
    "ringing": ("◔", "cyan"),
    "talk": ("▶", "blue"),
    "hold": ("‖", "magenta"),
    "consult": ("⇄", "magenta"),
    "wrap": ("✎", "yellow"),
    "break": ("☕", "bright_black"),
    "unknown": ("?", "red"),
    "offline": ("○", "bright_black"),
}
# without a flag, whom a supervisor would look at next
_NEED: Final = ("unknown", "hold", "consult", "ringing", "wrap", "break", "talk", "ready", "offline")


def duration(seconds: float | None) -> str:
    """`1:05`, `2:03:04`; a dash where nothing is known."""
    if seconds is None:
        return NO_DATA
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(value: float | None) -> str:
    return NO_DATA if value is None else f"{value * 100:.0f} %"


def screen(picture: Picture, state: str, ours: float, width: int, rows: int, agents: bool = True) -> RenderableType:
    """Everything, at most `rows` agents and eight flags; `width` in characters says how much of a queue fits."""
    if picture.position is None:
        return Text(f"no floor yet: {state}", style="yellow")
    parts: list[RenderableType] = [_head(picture, state, ours), _queues(picture, ours, width)]
    flags = _flags(picture, ours)
    if flags is not None:
        parts.append(flags)
    transfers = _transfers(picture, ours)
    if transfers is not None:
        parts.append(transfers)
    if agents and picture.floor["agent"]:
        parts.append(_agents(picture, ours, rows))
    return Group(*parts)


def _head(picture: Picture, state: str, ours: float) -> Text:
    text = Text("" if state == "live" else f"{state}\n", style="bold red")
    for name, site in sorted(picture.floor["site"].items()):
        now, age = picture.now(name, ours), picture.age_s(name, ours)
        text.append(f"{site['label']}", style="bold default")
        marks = [mark.upper() for mark in ("simulated", "replay") if site.get(mark)]
        text.append("".join(f"  {mark}" for mark in marks), style="bold magenta")
        text.append(f"  {now:%H:%M:%S} UTC" if now else "  no clock yet", style="default")
        if site["link"] == "never":
            text.append("  the switch has never connected", style="yellow")
        elif site["link"] == "down":
            text.append(
                f"  no link to the switch since {site['link_since']}: what follows is from then", style="bold red"
            )
        elif age is not None and age > STALE_S:
            text.append(f"  data {duration(age)} old", style="bold red")
        else:
            text.append("  data now", style="bright_black")
        text.append("\n")
    return text


def _queues(picture: Picture, ours: float, width: int) -> Table:
    day = ("offered", "answered", "abandoned") if width >= WIDE else ()
    columns = ("queue", "waiting", "longest", "level", *_COUNTED, *day)
    table = _table(columns, right=columns[1:])
    for _, queue in sorted(picture.floor["queue"].items()):
        level, counts = queue["service_level"], queue["agents"]
        longest = picture.since_s(queue["site"], queue["longest_since"], ours)
        late = longest is not None and longest > level["within_s"]
        counted = queue["since"] is not None
        table.add_row(
            _place(picture, queue["site"], queue["label"] or queue["queue"]),
            Text(str(queue["waiting"]), style="bold" if queue["waiting"] else ""),
            Text(duration(longest), style="red" if late else ""),
            f"{percent(level['value'])} {level['formula']} {level['target'] * 100:.0f}/{level['within_s']:.0f}",
            *(str(counts.get(state, 0)) for state in _COUNTED),
            *(str(queue[name]) if counted else NO_DATA for name in day),
        )
    return table


def _flags(picture: Picture, ours: float) -> Table | None:
    if not picture.floor["flag"]:
        return None
    table = _table(("flag", "since", "what"), right=("since",))
    flags = sorted(picture.floor["flag"].values(), key=lambda one: (_SEVERITY.get(one["severity"], 9), one["started"]))
    for flag in flags[:8]:
        since = duration(picture.since_s(flag["site"], flag["started"], ours))
        table.add_row(Text(flag["severity"], style=_TONES.get(flag["severity"], "")), since, flag["summary_en"])
    if len(flags) > 8:
        table.add_row("", "", Text(f"and {len(flags) - 8} more", style="bright_black"))
    return table


def _transfers(picture: Picture, ours: float) -> Table | None:
    running = [one for one in picture.floor["transfer"].values() if one["outcome"] == "running"]
    if not running:
        return None
    table = _table(("transfer", "for", "kind"), right=("for",))
    for transfer in sorted(running, key=lambda one: one["requested"]):
        took = picture.since_s(transfer["site"], transfer["requested"], ours)
        who = _name(picture, transfer["site"], transfer["from_agent"])
        whom = (
            _name(picture, transfer["site"], transfer["to_agent"])
            or transfer["to_queue"]
            or transfer["to_number"]
            or "somebody"
        )
        slow = transfer["slow"] == "yes"
        table.add_row(f"{who} → {whom}", Text(f"{took or 0:.1f} s", style="bold red" if slow else ""), transfer["kind"])
    return table


def _agents(picture: Picture, ours: float, rows: int) -> Table:
    table = _table(("agent", "team", "state", "for", "queue", "caller"), right=("for",))
    flagged = _flagged(picture.floor["flag"].values())
    worst: Callable[[tuple[str, Entity]], Any] = lambda item: (  # noqa: E731
        flagged.get(item[0], 9),
        _NEED.index(item[1]["state"]) if item[1]["state"] in _NEED else 0,
        item[1]["since"],
    )
    everybody = sorted(picture.floor["agent"].items(), key=worst)
    for key, agent in everybody[:rows]:
        shape, tone = _STATES.get(agent["state"], ("?", "red"))
        call = agent["call"] or {}
        old = agent["provenance"] == "stale"
        table.add_row(
            Text(agent["name"] or agent["agent_id"], style="bold red" if flagged.get(key) == 0 else ""),
            agent["team"],
            Text(
                f"{shape} {agent['state']}" + (f" ({agent['reason']})" if agent["reason"] else ""),
                style="bright_black" if old else tone,
            ),
            duration(picture.since_s(agent["site"], agent["since"], ours)),
            call.get("queue", ""),
            call.get("peer", ""),
        )
    if len(everybody) > rows:
        table.add_row(Text(f"and {len(everybody) - rows} more", style="bright_black"))
    return table


def _flagged(flags: Iterable[Entity]) -> dict[str, int]:
    """Agent -> the worst severity of a flag on it."""
    found: dict[str, int] = {}
    for flag in flags:
        agent = flag["subject_id"] if flag["subject"] == "agent" else flag["labels"].get("agent", "")
        key = f"{flag['site']}/{agent}"
        found[key] = min(found.get(key, 9), _SEVERITY.get(flag["severity"], 9))
    return found


def _name(picture: Picture, site: str, agent: str) -> str:
    known = picture.floor["agent"].get(f"{site}/{agent}")
    return str(known["name"] or agent) if known else agent


def _place(picture: Picture, site: str, name: str) -> str:
    return name if len(picture.floor["site"]) < 2 else f"{picture.floor['site'][site]['label']} · {name}"


def _table(columns: tuple[str, ...], right: tuple[str, ...]) -> Table:
    table = Table(box=None, header_style="bright_black", padding=(0, 2, 0, 0))
    for name in columns:
        number = name in right
        table.add_column(
            name, justify="right" if number else "left", no_wrap=True, min_width=len(name) if number else None
        )
    return table
