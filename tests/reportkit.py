"""Figures of made-up periods for tests of reports: the same for the same seed, and adding up."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from services.alerts.periodic.material import FollowUp, Material
from services.alerts.periodic.period import Period, containing
from services.alerts.recorder import figures as f

ZONE = "Asia/Shanghai"
DAY = date(2026, 11, 22)
STATES = ("offline", "ready", "ringing", "talk", "hold", "consult", "wrap", "break", "unknown")
NAMES = ("王芳", "李伟", "Chen Jing", "Anna Berg", "张敏", "刘洋", "Omar Haddad", "赵磊")
RULES = (("slow_transfer", "critical", "transfer"), ("long_wait", "warning", "call"), ("long_wrap", "warning", "agent"))


def level(answered: int, abandoned: int, within: int, short: int) -> f.ServiceLevel:
    below = answered + abandoned - short
    value = within / below if below else None
    by_formula = {"F1": value, "F2": within / answered if answered else None, "F3": value, "F3s": value}
    return f.ServiceLevel(
        formula="F3s",
        within_s=20.0,
        short_abandon_s=5.0,
        target=0.8,
        value=value,
        by_formula=by_formula,
        answered=answered,
        abandoned=abandoned,
    )


def stretch(start: datetime, end: datetime, **sums: Any) -> f.Stretch:
    """A stretch with its ratios worked out; `within`: answered in time."""
    answered, abandoned = sums.get("answered", 0), sums.get("abandoned", 0)
    handled, handling = sums.get("handled", answered), sums.get("handling_s", 0.0)
    names = ("wait_answered_s", "wait_abandoned_s", "talk_s", "hold_s", "wrap_s", "handling_s", "ready_s")
    seconds = {name: sums.get(name, 0.0) for name in names}
    busy = handling + seconds["ready_s"]
    return f.Stretch(
        started_at=start,
        ended_at=end,
        intervals=sums.get("intervals", 1),
        partial=0,
        offered=sums.get("offered", answered + abandoned),
        answered=answered,
        abandoned=abandoned,
        short_abandoned=sums.get("short_abandoned", 0),
        other_ended=sums.get("other_ended", 0),
        handled=handled,
        transfers=sums.get("transfers", 0),
        longest_waited_s=sums.get("longest_waited_s"),
        asa_s=seconds["wait_answered_s"] / answered if answered else None,
        aht_s=(seconds["talk_s"] + seconds["hold_s"] + seconds["wrap_s"]) / handled if handled else None,
        abandonment_rate=abandoned / (answered + abandoned) if answered + abandoned else None,
        transfer_rate=sums.get("transfers", 0) / handled if handled else None,
        occupancy=handling / busy if busy else None,
        service_levels=(level(answered, abandoned, sums.get("within", 0), sums.get("short_abandoned", 0)),)
        if answered or abandoned
        else (),
        **seconds,
    )


_SUMMED = (
    *("offered", "answered", "abandoned", "short_abandoned", "other_ended", "handled", "transfers", "wait_answered_s"),
    *("wait_abandoned_s", "talk_s", "hold_s", "wrap_s", "handling_s", "ready_s", "intervals"),
)


def summed(found: Sequence[f.Stretch], start: datetime, end: datetime) -> f.Stretch:
    sums: dict[str, Any] = {name: sum(getattr(one, name) for one in found) for name in _SUMMED}
    longest = [one.longest_waited_s for one in found if one.longest_waited_s is not None]
    within = sum(
        round((one.service_levels[0].value or 0) * (one.answered + one.abandoned - one.short_abandoned))
        for one in found
        if one.service_levels
    )
    return stretch(start, end, longest_waited_s=max(longest, default=None), within=within, **sums)


def _step(rng: random.Random, start: datetime, length: timedelta, busy: float) -> f.Stretch:
    offered = round(rng.gauss(9 * busy, 2 * busy)) if busy else 0
    offered = max(0, offered)
    abandoned = sum(rng.random() < 0.06 for _ in range(offered))
    answered = offered - abandoned
    return stretch(
        start,
        start + length,
        answered=answered,
        abandoned=abandoned,
        short_abandoned=min(abandoned, rng.randrange(2)),
        within=round(answered * rng.uniform(0.7, 0.95)),
        transfers=sum(rng.random() < 0.1 for _ in range(answered)),
        wait_answered_s=answered * rng.uniform(5, 25),
        wait_abandoned_s=abandoned * 40.0,
        longest_waited_s=rng.uniform(20, 190) if offered else None,
        talk_s=answered * rng.uniform(150, 240),
        hold_s=answered * 12.5,
        wrap_s=answered * 22.0,
        handling_s=answered * 220.0,
        ready_s=600.0 * busy,
    )


def _queue(rng: random.Random, name: str, label: str, period: Period) -> f.QueueFigures:
    steps = []
    if period.kind == "daily":
        for n in range(96):
            hour = n / 4
            busy = 1.0 if 8 <= hour < 20 else 0.12
            steps.append(_step(rng, period.start + timedelta(minutes=15 * n), timedelta(minutes=15), busy))
    else:
        for n in range(len(period.days)):
            steps.append(_step(rng, period.start + timedelta(days=n), timedelta(days=1), 30.0))
    hours = [
        summed(steps[n * 4 : n * 4 + 4], steps[n * 4].started_at, steps[n * 4 + 3].ended_at)
        for n in range(24 if period.kind == "daily" else 0)
    ]
    total = summed(steps, period.start, period.end)
    return f.QueueFigures(queue=name, label=label, total=total, steps=tuple(steps), hours=tuple(hours))


def _all(found: Sequence[f.QueueFigures], period: Period) -> f.QueueFigures:
    def over(part: str) -> tuple[f.Stretch, ...]:
        rows = zip(*(getattr(one, part) for one in found), strict=True)
        return tuple(summed(row, row[0].started_at, row[0].ended_at) for row in rows)

    total = summed([one.total for one in found], period.start, period.end)
    return f.QueueFigures(queue="", label="", total=total, steps=over("steps"), hours=over("hours"))


def _agent(rng: random.Random, number: int, name: str, period: Period) -> f.AgentFigures:
    seconds = (period.end - period.start).total_seconds()
    weights = {"offline": 60.0, "ready": 9, "ringing": 1, "talk": 14, "hold": 1, "consult": 1, "wrap": 4, "break": 4}
    found = {state: weight * rng.uniform(0.5, 1.5) for state, weight in weights.items()}
    whole = sum(found.values())
    state_s = {state: value / whole * seconds for state, value in found.items()} | {"unknown": 0.0}
    return agent_of(
        str(1000 + number), name, ("Blue", "红队", "Green")[number % 3], state_s, period, 1, rng.randrange(90)
    )


def agent_of(
    agent_id: str, name: str, team: str, state_s: dict[str, float], period: Period, agents: int, calls: int
) -> f.AgentFigures:
    busy = sum(state_s[state] for state in ("talk", "hold", "consult", "wrap"))
    seconds = (period.end - period.start).total_seconds() * agents
    return f.AgentFigures(
        agent_id=agent_id,
        name=name,
        team=team,
        agents=agents,
        known_from=period.start,
        known_to=period.end,
        state_s=state_s,
        total_s=sum(state_s.values()),
        uncovered_s=seconds - sum(state_s.values()),
        unknown_s=state_s["unknown"],
        stale_s=0.0,
        breaks_s={"lunch": state_s["break"] * 0.7, "tea": state_s["break"] * 0.3},
        staffed_s=sum(value for state, value in state_s.items() if state not in ("offline", "unknown")),
        occupancy=busy / (busy + state_s["ready"]) if busy + state_s["ready"] else None,
        calls=calls,
        talk_s=state_s["talk"],
        hold_s=state_s["hold"],
        transfers=calls // 9,
    )


def spread(values: Sequence[float]) -> f.Spread:
    if not values:
        return f.NO_SPREAD
    found = sorted(values)

    def rank(share: float) -> float:
        return found[min(len(found) - 1, int(share * len(found)))]

    return f.Spread(
        count=len(found),
        mean_s=sum(found) / len(found),
        p50_s=rank(0.5),
        p90_s=rank(0.9),
        p95_s=rank(0.95),
        max_s=found[-1],
    )


def _cause(rng: random.Random, *key: str, label: tuple[str, ...] = ()) -> f.Cause:
    count = rng.randrange(4, 40)
    slow, missed = count // 4, count // 6
    return f.Cause(
        key=key,
        label=label or key,
        count=count,
        slow=slow,
        cannot_tell=0,
        not_completed=missed,
        mean_s=rng.uniform(3, 8),
        max_s=rng.uniform(8, 40),
    )


def _transfers(rng: random.Random, names: Sequence[str]) -> f.TransferFigures:
    values = [rng.uniform(2, 14) for _ in range(120)]
    outcomes = {"completed": 120, "failed": 9, "cancelled": 4, "abandoned": 3}
    slow = sum(value > 7 for value in values)
    targets = [
        _cause(rng, "attended", "", "1001", label=("attended", "", names[0])),
        _cause(rng, "queue", "support", "", label=("queue", "Support 技术支持", "")),
        _cause(rng, "blind", "", "139****5678"),
    ]
    return f.TransferFigures(
        count=sum(outcomes.values()),
        outcomes=outcomes,
        kinds={"attended": 90, "blind": 30, "queue": 16},
        judged=120,
        slow=slow,
        cannot_tell=2,
        slow_share=slow / 120,
        cannot_tell_share=2 / 120,
        legs={
            "seek": spread([v * 0.1 for v in values]),
            "ring": spread([v * 0.5 for v in values]),
            "brief": spread([v * 0.4 for v in values]),
            "customer_gap": spread([v * 0.9 for v in values]),
            "total": spread(values),
        },
        by_kind={"attended": spread(values[:90]), "blind": spread(values[90:])},
        by_reason=(_cause(rng, "failed", "no_answer"), _cause(rng, "cancelled", "")),
        by_target=tuple(sorted(targets, key=lambda one: -one.count)),
        by_agent=(_cause(rng, "1002", label=(names[1],)), _cause(rng, "1003", label=(names[2],))),
        by_pair=(_cause(rng, "1002", "1001", label=(names[1], names[0])),),
        by_queue=(_cause(rng, "sales", label=("Sales 销售",)),),
    )


def _flags(rng: random.Random, names: Sequence[str]) -> f.FlagFigures:
    rules = tuple(
        f.RuleFigures(
            rule=rule,
            severity=severity,
            subject=subject,
            count=count,
            ended=count - 1,
            unheard=0,
            standing=1,
            total_s=count * 61.0,
            longest_s=400.0,
            simulated=0,
            replay=0,
            by_agent=(f.Share(key="1001", label=names[0], count=2, total_s=30.0),),
            by_queue=(f.Share(key="sales", label="Sales 销售", count=1, total_s=9.0),),
        )
        for (rule, severity, subject), count in zip(RULES, (rng.randrange(18, 30), 9, 4), strict=True)
    )
    by_severity = {"critical": rules[0].count, "warning": 13}
    return f.FlagFigures(count=sum(one.count for one in rules), by_severity=by_severity, rules=rules)


def incident(number: int, period: Period, **more: Any) -> f.IncidentLine:
    values: dict[str, Any] = {
        "number": number,
        "rule": "slow_transfer",
        "severity": "critical",
        "state": "open",
        "summary_en": "Chen Jing's transfer has taken more than 7 s",
        "summary_zh": "陈静 转接已超过 7 秒",
        "opened_at": period.start + timedelta(hours=9, minutes=number),
        "resolved_at": None,
        "owner": "",
        "lasted_s": 5400.0,
    }
    return f.IncidentLine(**values | more)


def _severity(name: str, opened: int, resolved: int) -> f.SeverityFigures:
    return f.SeverityFigures(
        severity=name,
        opened=opened,
        reopened=1,
        acknowledged=resolved,
        resolved=resolved,
        resolved_quiet=1,
        open=opened - resolved,
        not_taken=1 if opened > resolved else 0,
        to_acknowledge=spread([60.0, 130.0, 400.0]),
        to_resolve=spread([900.0, 4000.0]),
    )


def _incidents(period: Period) -> f.IncidentFigures:
    still = (incident(41, period), incident(42, period, owner="王芳", state="acknowledged", severity="warning"))
    done = incident(40, period, state="resolved", resolved_at=period.start + timedelta(hours=12), owner="Li Wei")
    return f.IncidentFigures(
        total=_severity("", 7, 5),
        by_severity=(_severity("critical", 4, 3), _severity("warning", 3, 2)),
        by_rule=(f.Share(key="slow_transfer", label="slow_transfer", count=5, total_s=9000.0),),
        longest=(done,),
        still_open=still,
    )


def period_of(kind: Any = "daily", day: date = DAY, zone: str = ZONE) -> Period:
    return containing(kind, day, zone)


def figures(
    period: Period | None = None,
    *,
    seed: int = 1,
    queues: int = 4,
    agents: int = 8,
    site: str = "hq",
    label: str = "Headquarters 总部",
    origin: f.Origin = "real",
    names: Sequence[str] = NAMES,
    labels: Sequence[str] = ("Sales 销售", "Support 技术支持", "Billing 账务", "Complaints 投诉"),
) -> f.PeriodFigures:
    """A whole period with records; `names` of agents and `labels` of queues come again and again."""
    period = period or period_of()
    rng = random.Random(seed)
    found = tuple(_queue(rng, f"q{n:02}", labels[n % len(labels)], period) for n in range(queues))
    people = tuple(_agent(rng, n, names[n % len(names)], period) for n in range(agents))
    crew = agent_of(
        "",
        "",
        "",
        {state: sum(one.state_s[state] for one in people) for state in STATES},
        period,
        len(people),
        sum(one.calls for one in people),
    )
    total = _all(found, period)
    return f.PeriodFigures(
        site=site,
        label=label,
        time_zone=period.time_zone,
        kind=period.kind,
        first=period.first,
        last=period.last,
        start=period.start,
        end=period.end,
        as_of=period.end + timedelta(hours=7, minutes=30),
        over=True,
        origin=origin,
        step="interval" if period.kind == "daily" else "day",
        coverage=f.Coverage(
            intervals=96, recorded=96, share=1.0, first=period.start, last=period.end, gaps=(), gap_count=0
        ),
        total=total,
        queues=found,
        calls=f.CallFigures(
            count=total.total.handled,
            by_direction={"inbound": total.total.handled},
            by_outcome={"answered": total.total.answered},
            unqueued=0,
            unqueued_answered=0,
            talk_s=total.total.talk_s,
            hold_s=total.total.hold_s,
        ),
        crew=crew,
        agents=people,
        transfers=_transfers(rng, [*names, *names, *names][:3]),
        flags=_flags(rng, [*names, *names][:2]),
        incidents=_incidents(period),
    )


def nothing(period: Period | None = None, **more: Any) -> f.PeriodFigures:
    """A period of which nothing is recorded."""
    period = period or period_of()
    none = f.SeverityFigures(
        severity="",
        opened=0,
        reopened=0,
        acknowledged=0,
        resolved=0,
        resolved_quiet=0,
        open=0,
        not_taken=0,
        to_acknowledge=f.NO_SPREAD,
        to_resolve=f.NO_SPREAD,
    )
    values: dict[str, Any] = {
        "site": "hq",
        "label": "Headquarters",
        "time_zone": period.time_zone,
        "kind": period.kind,
        "first": period.first,
        "last": period.last,
        "start": period.start,
        "end": period.end,
        "as_of": period.end + timedelta(hours=8),
        "over": True,
        "origin": "none",
        "step": "interval",
        "coverage": f.Coverage(
            intervals=96,
            recorded=0,
            share=0.0,
            first=None,
            last=None,
            gaps=(f.Gap(started_at=period.start, ended_at=period.end),),
            gap_count=1,
        ),
        "total": f.QueueFigures(
            queue="", label="", total=stretch(period.start, period.end, intervals=0), steps=(), hours=()
        ),
        "queues": (),
        "calls": f.CallFigures(
            count=0, by_direction={}, by_outcome={}, unqueued=0, unqueued_answered=0, talk_s=0.0, hold_s=0.0
        ),
        "crew": None,
        "agents": (),
        "transfers": f.TransferFigures(
            count=0,
            outcomes={},
            kinds={},
            judged=0,
            slow=0,
            cannot_tell=0,
            slow_share=None,
            cannot_tell_share=None,
            legs={},
            by_kind={},
            by_reason=(),
            by_target=(),
            by_agent=(),
            by_pair=(),
            by_queue=(),
        ),
        "flags": f.FlagFigures(count=0, by_severity={}, rules=()),
        "incidents": f.IncidentFigures(total=none, by_severity=(), by_rule=(), longest=(), still_open=()),
    }
    return f.PeriodFigures(**values | more)


FOLLOWUPS = (
    FollowUp(42, "action", "换掉 12 号座席的话机 Replace the phone", "王芳", date(2026, 11, 20), True, "Slow", "过慢"),
    FollowUp(40, "recheck", "", "Li Wei", date(2026, 11, 23), False, "Slow transfer", "转接过慢"),
)


def material(period: Period | None = None, **more: Any) -> Material:
    """A period and the one before it."""
    period = period or period_of()
    return Material(figures(period, **more), figures(period.before(), **more | {"seed": 2}), FOLLOWUPS)
