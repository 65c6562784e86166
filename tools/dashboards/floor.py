"""The floor: who is free, who waits. For people who watch several systems in one place; the wallboard knows more, and sooner."""

from __future__ import annotations

from typing import Final

from tools.dashboards.panels import Dashboard, Line, Panel, Row, Unit

_HERE: Final = '{site=~"$site"}'


def _queue(name: str) -> str:
    """Replicas say the same: one of them is as good as another."""
    return f"max by (site, queue) ({name}{_HERE})"


def _today(name: str) -> str:
    return f"sum(max by (site, queue) (floor_queue_{name}_calls_total{_HERE}))"


def _day(title: str, expr: str, unit: Unit = "short") -> Panel:
    return Panel(title=title, kind="stat", width=6, height=4, unit=unit, lines=(Line(expr),))


FLOOR: Final = Dashboard(
    uid="floorwatch-floor",
    title="Floorwatch: floor",
    text="Agents, calls and queues as the boards show them. Empty while a site is not heard.",
    by_site="floor_link_up",
    rows=(
        Row(
            "Now",
            (
                Panel(
                    title="Sites heard",
                    kind="stat",
                    width=4,
                    height=4,
                    lines=(Line(f"sum(max by (site) (floor_link_up{_HERE}))"),),
                ),
                Panel(
                    title="Sites not heard",
                    kind="stat",
                    width=4,
                    height=4,
                    bad=1,
                    worse=1,
                    lines=(Line(f"count(max by (site) (floor_link_up{_HERE}) == 0) or vector(0)"),),
                ),
                Panel(
                    title="Agents logged on",
                    kind="stat",
                    width=4,
                    height=4,
                    lines=(Line('sum(max by (site, state) (floor_agents{site=~"$site", state!~"offline|unknown"}))'),),
                ),
                Panel(
                    title="Ready",
                    kind="stat",
                    width=4,
                    height=4,
                    lines=(Line('sum(max by (site) (floor_agents{site=~"$site", state="ready"}))'),),
                ),
                Panel(
                    title="Calls waiting",
                    kind="stat",
                    width=4,
                    height=4,
                    lines=(Line(f"sum({_queue('floor_queue_waiting_calls')})"),),
                ),
                Panel(
                    title="Longest wait",
                    kind="stat",
                    unit="s",
                    width=4,
                    height=4,
                    bad=30,
                    worse=120,
                    lines=(Line(f"max({_queue('floor_queue_longest_wait_seconds')})"),),
                ),
                Panel(
                    title="Agents by state",
                    width=12,
                    stacked=True,
                    lines=(Line(f"sum by (state) (max by (site, state) (floor_agents{_HERE})) > 0", "{{state}}"),),
                ),
                Panel(
                    title="Flags that stand",
                    width=12,
                    stacked=True,
                    lines=(Line(f"sum by (severity) (max by (site, severity) (floor_flags{_HERE}))", "{{severity}}"),),
                ),
            ),
        ),
        Row(
            "Queues",
            (
                Panel(
                    title="Waiting",
                    width=12,
                    lines=(Line(f"topk(15, {_queue('floor_queue_waiting_calls')} > 0)", "{{site}} {{queue}}"),),
                ),
                Panel(
                    title="Longest wait",
                    unit="s",
                    width=12,
                    bad=120,
                    lines=(Line(f"topk(15, {_queue('floor_queue_longest_wait_seconds')} > 0)", "{{site}} {{queue}}"),),
                ),
                Panel(
                    title="Answered within the queue's time, of all answered today",
                    kind="bargauge",
                    unit="percentunit",
                    width=12,
                    highest=1,
                    bad=0.8,
                    worse=0.5,
                    below=True,
                    text="Not a service level: that has a formula for each queue, see the boards and docs/metrics.md.",
                    lines=(
                        Line(
                            f"bottomk(15, {_queue('floor_queue_answered_within_calls_total')}"
                            f" / ({_queue('floor_queue_answered_calls_total')} > 0))",
                            "{{site}} {{queue}}",
                        ),
                    ),
                ),
                Panel(
                    title="Calls in five minutes",
                    width=12,
                    lines=tuple(
                        Line(f"sum(max by (site, queue) (increase(floor_queue_{name}_calls_total{_HERE}[5m])))", name)
                        for name in ("offered", "answered", "abandoned")
                    ),
                ),
            ),
        ),
        Row(
            "The site's day so far",
            (
                _day("Offered", _today("offered")),
                _day("Answered", _today("answered")),
                _day("Abandoned", _today("abandoned")),
                _day(
                    "Abandoned of answered and abandoned",
                    f"{_today('abandoned')} / ({_today('answered')} + {_today('abandoned')} > 0)",
                    "percentunit",
                ),
            ),
        ),
    ),
)
