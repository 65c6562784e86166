"""The alert file and what it would do, as tables and trees for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from floorwatch.routing import FromRules
from services.alerts.api.dutyviews import ScheduleView
from services.alerts.api.explainviews import CourseView, ExplainedView, ToldView
from services.alerts.api.routingviews import InhibitView, LeafView, RaiseView, ReceiverView, RouteView, RoutingView
from services.alerts.core.telling import Reason

WHY: Final[dict[Reason, str]] = {
    Reason.OPENED: "it is open",
    Reason.REOPENED: "it came back",
    Reason.WORSE: "it became more severe",
    Reason.MORE: "further flags",
    Reason.REMINDER: "nobody has it yet",
    Reason.ESCALATED: "nobody took it: next step",
}
COLOURS: Final = {"critical": "bold red", "warning": "bold yellow", "info": "bold blue"}
UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def show_file(found: RoutingView, console: Console) -> None:
    """What is in a file that is right."""
    name = found.file or "no file"
    console.print(Text(f"{name} is right.", "bold green") + Text(_counted(found)), soft_wrap=True)
    _section(console, "Receivers", _receivers(found.receivers))
    _section(console, "Routes", _tree(found.routes))
    if found.schedules:
        _section(console, "Schedules", _schedules(found.schedules))
    rules = [
        *(
            f"flags with {one.match or 'whatever labels'} are one incident for each {_joined(one.by)}"
            for one in found.groups
        ),
        *(f"{_raise(one)}, if {one.match}" if one.match else _raise(one) for one in found.raises),
        *(_inhibited(one) for one in found.inhibit),
    ]
    if rules:
        _section(console, "Beside it", _list(rules))
    kept = [f"{one.group} {'for ever' if one.keep_s is None else span(one.keep_s)}" for one in found.retention]
    _section(console, "Kept", Text(", ".join(kept)))
    if found.warnings:
        _section(console, "Warnings", _list((one.en for one in found.warnings), "yellow"))


def show_explained(found: ExplainedView, rule: FromRules | None, console: Console) -> None:
    """Who would be told of what, when."""
    zone = ZoneInfo(found.time_zone)
    said = ", ".join(f"{name}={value}" for name, value in found.labels.items()) or "a flag without any label"
    console.print(Text(said, "bold") + Text(f"  raised {clock(found.at, zone)} ({found.time_zone})"), soft_wrap=True)
    for one in found.courses:
        console.print()
        title = Text(one.severity, COLOURS[one.severity])
        if rule is not None and one.severity == rule.severity:
            title += Text(f"  as {rule.file} has it", "dim")
        console.print(title + Text(f"  by {_route(one)}"), soft_wrap=True)
        console.print(Padding(_course(one, found.at, zone), (0, 0, 0, 2)))
    _section(console, "Beside it", _list(_else(found)))


def _course(one: CourseView, opened: datetime, zone: ZoneInfo) -> RenderableType:
    if not any(told.receivers for told in one.steps):
        return Text("nobody is told", "yellow")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("after", "at", "who", "why", "by"):
        table.add_column(name, justify="right" if name == "after" else "left", overflow="fold")
    rows: list[tuple[datetime, bool, tuple[Text | str, ...]]] = []
    by = ""
    for told in one.steps:
        rows.append((told.at, True, _told(told, one, opened, zone, told.route != by or told is one.steps[0])))
        by = told.route
    for became in one.raised:
        text = Text(f"it becomes {became.severity}", COLOURS[became.severity])
        rows.append((became.at, False, (span(became.after_s), clock(became.at, zone, opened), "", text, "")))
    for _, _, cells in sorted(rows, key=lambda row: row[:2]):
        table.add_row(*cells)
    return table


def _told(
    told: ToldView, course: CourseView, opened: datetime, zone: ZoneInfo, say_route: bool
) -> tuple[Text | str, ...]:
    why = WHY.get(told.reason, told.reason.value)
    if told.every_s is not None:
        on = told is course.steps[-1] and course.goes_on
        why += f", again every {span(told.every_s)}" + ("" if on else f" until {clock(told.last, zone, opened)}")
    after = span(told.after_s) if told.after_s else "at once"
    who = Text(_joined(told.receivers), "bold") if told.receivers else Text("nobody", "yellow")
    return (
        after,
        clock(told.at, zone, opened),
        who,
        why,
        Text(told.route or "the first route", "dim") if say_route else "",
    )


def _else(found: ExplainedView) -> Iterator[str]:
    first = found.courses[0]
    yield f"further flags with the same {_joined(first.grouped_by)} join it: its key is {first.group}"
    for leaf in {one.path: one for course in found.courses for one in course.routes}.values():
        end = "its resolution is told to whoever heard of it" if leaf.tell_end else "its resolution is told to nobody"
        where = f"by {leaf.path}: " if leaf.path else ""
        yield f"{where}further flags are told once in {span(leaf.interval_s)} at most; {end}"
    for one in {str(r): r for course in found.courses for r in course.raised_by_flags}.values():
        yield f"with {one.flags} flags it becomes {one.to}"
    for inhibition in found.hidden_by.inhibitions:
        yield _inhibited(inhibition)
    yield from (f"{name} holds it now" for name in found.hidden_by.silences)
    yield from (f"incident {number} hides it now" for number in found.hidden_by.incidents)
    if not found.hidden_by.inhibitions:
        yield "no other incident hides it; a silence may"
    if not found.known_site:
        yield f"the sites file has no site {found.labels.get('site', '')!r}: its time zone is that of the defaults"
    if found.not_given:
        yield f"not given, though the file asks for it, so taken as empty: {', '.join(found.not_given)}"


def _receivers(receivers: Iterable[ReceiverView]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("name", "channels", "language", "form", "at most", "else"):
        table.add_column(name, overflow="fold")
    for one in receivers:
        channels = Text(", ".join(one.channels)) if one.channels else Text("none", "yellow")
        most = f"{one.burst}, then 1 in {span(one.every_s)}"
        table.add_row(Text(one.name, "bold"), channels, one.language, one.form, most, one.then or "-")
    return table


def _tree(root: RouteView) -> Tree:
    tree = Tree(_branch(root, None))
    _grow(tree, root)
    return tree


def _grow(tree: Tree, above: RouteView) -> None:
    for one in above.routes:
        _grow(tree.add(_branch(one, above)), one)


def _branch(one: RouteView, above: RouteView | None) -> Text:
    """A route: what it takes, whom it tells; of the rest only what is other than above."""
    taken = one.match or ("whatever no route below takes" if above is None else "all of it")
    hours = f", in the hours of {one.schedule}" if one.schedule else ""
    text = Text(f"{taken}{hours}") + Text(" → ") + Text(one.receiver, "bold")
    details = list(_details(one, above))
    if one.goes_on:
        details.append("and those after it, too")
    return text + Text("  " + ", ".join(details), "dim") if details else text


def _details(one: LeafView, above: LeafView | None) -> Iterator[str]:
    if above is None or one.wait_s != above.wait_s:
        yield f"after {span(one.wait_s)}" if one.wait_s else "at once"
    if above is None or one.repeat_s != above.repeat_s:
        yield "never again" if one.repeat_s is None else f"again every {span(one.repeat_s)}"
    if above is None or one.interval_s != above.interval_s:
        yield f"further flags once in {span(one.interval_s)}"
    if one.escalation != (above.escalation if above else []):
        steps = [f"{_joined(step.to)} after {span(step.after_s)}" for step in one.escalation]
        yield "nobody takes it: " + ", ".join(steps) if steps else "no steps"
    if one.tell_end != (above.tell_end if above else False):
        yield "its end, too" if one.tell_end else "not its end"


def _schedules(schedules: Iterable[ScheduleView]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("name", "hours", "where", "now"):
        table.add_column(name, overflow="fold")
    for one in schedules:
        for number, duty in enumerate(one.now):
            on = Text("● on duty", "green") if duty.on_duty else Text("○ nobody", "dim")
            until = f" until {clock(duty.until, ZoneInfo(duty.time_zone))}" if duty.until else " for ever"
            sites = f" ({', '.join(duty.sites)})" if duty.sites else ""
            first = (Text(one.name, "bold"), "; ".join(one.hours)) if number == 0 else ("", "")
            table.add_row(*first, f"{duty.time_zone}{sites}", on + Text(until))
    return table


def _route(one: CourseView) -> str:
    return " and ".join(leaf.path or "the first route" for leaf in one.routes) or "no route"


def _raise(one: RaiseView) -> str:
    when = f"after {span(one.after_s)}" if one.after_s is not None else ""
    many = f"with {one.flags} flags" if one.flags else ""
    return f"becomes {one.to} {' or '.join(part for part in (when, many) if part)}"


def _inhibited(one: InhibitView) -> str:
    same = [f"the same {_joined(one.equal)}"] if one.equal else []
    hidden = " and ".join([*same, *filter(None, [one.target])])
    those = f"those with {hidden}" if hidden else "all others"
    return f"while an incident with {one.source} stands, {those} are told to nobody"


def _counted(found: RoutingView) -> str:
    count = len(found.warnings)
    return f"  {count} warning{'' if count == 1 else 's'}, below." if count else ""


def _section(console: Console, title: str, content: RenderableType) -> None:
    console.print()
    console.print(Text(title, "bold underline"))
    console.print(Padding(content, (0, 0, 0, 2)))


def _list(lines: Iterable[str], style: str = "") -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row("·", Text(line, style))
    return table


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names)


def span(seconds: float) -> str:
    """`45 s`, `1 h 30 min`, `400 d`."""
    if seconds < 1:
        return f"{seconds * 1000:g} ms" if seconds else "0 s"
    left, parts = round(seconds), []
    for size, unit in UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def clock(at: datetime, zone: ZoneInfo, beside: datetime | None = None) -> str:
    """`Mon 2026-11-23 09:05`; of a time on the same day as `beside` only the time."""
    local = at.astimezone(zone)
    form = "%H:%M:%S" if local.second else "%H:%M"
    if beside is None:
        return local.strftime(f"%a %Y-%m-%d {form}")
    same = local.date() == beside.astimezone(zone).date()
    return local.strftime(form if same else f"%a {form}")
