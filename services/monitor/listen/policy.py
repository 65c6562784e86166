"""A site's policy of listening: who may listen to whom, how, what for and when. Pure.

It allows when one of its rules allows everything that is asked; the reason of a refusal is that of the rule that came furthest.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from shared.commands import Mode
from shared.hours import Hours, parse_window
from shared.identity import Principal
from shared.siteconfig import Listening, ListenRule, Purpose

Code = Literal["permission", "speak", "purpose", "not_you", "not_them", "mode", "hours"]

PURPOSE_LABELS: Final = MappingProxyType[Purpose, tuple[str, str]](
    {
        "live_qa": ("Live quality check", "实时质检"),
        "new_agent": ("New agent", "新人跟听"),
        "coaching": ("Coaching", "辅导"),
        "complaint": ("Complaint", "投诉处理"),
        "spot_check": ("Spot check", "抽查"),
    }
)
_WORDS: Final = MappingProxyType[Code, tuple[str, str]](
    {
        "permission": ("your roles do not include listening", "您的角色不允许监听"),
        "speak": ("your roles do not include speaking into calls", "您的角色不允许向通话讲话"),
        "purpose": ("this purpose is not one of this site's for you", "该监听目的在本站点对您不适用"),
        "not_you": ("this site's policy does not let you listen", "本站点的策略不允许您监听"),
        "not_them": (
            "this site's policy does not let you listen to this agent or queue",
            "本站点的策略不允许您监听该座席或队列",
        ),
        "mode": ("this site's policy does not let you use this mode", "本站点的策略不允许您使用该模式"),
        "hours": ("this site's policy does not let you listen at this hour", "本站点的策略不允许在此时段监听"),
    }
)
# how far a rule came before it refused
_STEPS: Final[tuple[Code, ...]] = ("not_you", "not_them", "mode", "purpose", "hours")


class Facts(Struct, frozen=True):
    """Of whom is heard what decides. Without an agent, as in a call that waits, only the call's queue is known.

    `queues`: the call's, without one the agent's.
    """

    agent_id: str = ""
    team: str = ""
    queues: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class Allowed(Struct, frozen=True):
    """It may go on. `until`: when the hours of the rules end, None: never."""

    until: datetime | None


class Refused(Struct, frozen=True):
    """`code` is a stable word, the others are for people."""

    code: Code
    en: str
    zh: str


Verdict = Allowed | Refused


def refused(code: Code) -> Refused:
    """The refusal in words."""
    return Refused(code, *_WORDS[code])


def decide(
    who: Principal, policy: Listening, zone: ZoneInfo, facts: Facts, mode: Mode, purpose: Purpose, now: datetime
) -> Verdict:
    """Whether `who` may hear this now in that mode. Scope is asked elsewhere: what is outside of it does not exist."""
    if not who.may("calls.listen"):
        return refused("permission")
    if mode != "listen" and not who.may("calls.speak"):
        return refused("speak")
    if purpose not in policy.purposes:
        return refused("purpose")
    if not policy.rules:
        return Allowed(None)
    furthest, ends = 0, list[datetime | None]()
    for rule in policy.rules:
        step = _stops_at(rule, who, facts, mode, purpose, now, zone)
        if step is None:
            ends.append(_hours(rule).next_change(now, zone))
        else:
            furthest = max(furthest, step)
    if not ends:
        return refused(_STEPS[furthest])
    return Allowed(None if None in ends else max(end for end in ends if end is not None))


def modes_for(who: Principal, policy: Listening) -> tuple[Mode, ...]:
    """The modes that `who` may use there with somebody at some time."""
    wanted: tuple[Mode, ...] = ("listen", "whisper", "barge") if who.may("calls.speak") else ("listen",)
    rules = [rule for rule in policy.rules if _is_for(rule, who)]
    if not who.may("calls.listen") or (policy.rules and not rules):
        return ()
    return tuple(mode for mode in wanted if not rules or any(not rule.modes or mode in rule.modes for rule in rules))


def purposes_for(who: Principal, policy: Listening) -> tuple[Purpose, ...]:
    """The purposes that `who` may give there."""
    rules = [rule for rule in policy.rules if _is_for(rule, who)]
    if policy.rules and not rules:
        return ()
    return tuple(
        one for one in policy.purposes if not rules or any(not rule.purposes or one in rule.purposes for rule in rules)
    )


def rules_for(who: Principal, policy: Listening) -> tuple[ListenRule, ...]:
    """The rules that are about `who`."""
    return tuple(rule for rule in policy.rules if _is_for(rule, who))


def is_open(rule: ListenRule, now: datetime, zone: ZoneInfo) -> bool:
    """Whether its hours are now."""
    return _hours(rule).open_at(now, zone)


def longest(policy: Listening, started: datetime) -> datetime:
    """When a listen that began then ends at the latest."""
    return started + timedelta(seconds=policy.max_s)


def _stops_at(
    rule: ListenRule, who: Principal, facts: Facts, mode: Mode, purpose: Purpose, now: datetime, zone: ZoneInfo
) -> int | None:
    """Which of _STEPS this rule does not get past; None when it allows."""
    passed = (
        _is_for(rule, who),
        _is_about(rule, facts),
        not rule.modes or mode in rule.modes,
        not rule.purposes or purpose in rule.purposes,
        is_open(rule, now, zone),
    )
    return None if all(passed) else passed.index(False)


def _is_for(rule: ListenRule, who: Principal) -> bool:
    return (not rule.roles or not who.roles.isdisjoint(rule.roles)) and (not rule.users or who.user in rule.users)


def _is_about(rule: ListenRule, facts: Facts) -> bool:
    return (
        (not rule.teams or facts.team in rule.teams)
        and (not rule.queues or not set(facts.queues).isdisjoint(rule.queues))
        and (not rule.tags or not set(facts.tags).isdisjoint(rule.tags))
    )


@cache
def _hours(rule: ListenRule) -> Hours:
    return Hours(tuple(parse_window(window) for window in rule.windows), frozenset(rule.days))
