"""Rules at work: which conditions hold, since when, and the flags they raise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from services.monitor.core.floor import Floor
from services.monitor.core.rulebook import Rule, say_duration
from services.monitor.core.state import Flag, Timer, Watch
from shared import facts


def watch(
    floor: Floor,
    subject: str,
    subject_id: str,
    labels: Mapping[str, str],
    since: datetime,
    at: datetime,
    tags: tuple[str, ...] = (),
) -> None:
    """Ask every rule for `subject` about this one, whose present condition began at `since`; `at` is now."""
    for rule in floor.rules.by_subject[subject]:
        ask(floor, rule, subject_id, labels, since, at, tags)


def ask(
    floor: Floor,
    rule: Rule,
    subject_id: str,
    labels: Mapping[str, str],
    since: datetime,
    at: datetime,
    tags: tuple[str, ...] = (),
) -> None:
    """Ask one rule, as `watch` does."""
    watches = floor.state.watches.setdefault(rule.name, {})
    holds = rule.holds(labels) and rule.concerns(floor.state.site, labels, tags)
    running = watches.get(subject_id)
    if running is not None and (not holds or running.started != since):
        _end(floor, rule.name, running, at)
        running = None
    if holds and running is None:
        deadline = since + rule.hold
        told = floor.state.told.get(rule.name, {}).get(subject_id) == since  # by a late event back where it was
        generation = 0 if told else floor.timer(deadline, "flag", (rule.name, subject_id))
        watches[subject_id] = Watch(rule.name, subject_id, since, deadline, generation)


def retire(floor: Floor, name: str, at: datetime) -> None:
    """A rule is no longer in force, or not as it was: let its watches go. Raised flags of a rule that still exists stay
    until it is asked anew."""
    kept = name in floor.rules.by_name
    for found in tuple(floor.state.watches.get(name, {}).values()):
        if not kept or (
            found.flag_id and floor.state.flags[found.flag_id].subject != floor.rules.by_name[name].subject
        ):
            _end(floor, name, found, at)
        elif not found.flag_id:
            del floor.state.watches[name][found.subject_id]
    if not kept:
        floor.state.watches.pop(name, None)
        floor.state.told.pop(name, None)


def forget(floor: Floor, subject: str, subject_id: str, at: datetime) -> None:
    """The subject is gone: end what its rules watched."""
    for rule in floor.rules.by_subject[subject]:
        running = floor.state.watches.get(rule.name, {}).get(subject_id)
        if running is not None:
            _end(floor, rule.name, running, at)
        floor.state.told.get(rule.name, {}).pop(subject_id, None)


def running(floor: Floor, timer: Timer) -> tuple[Rule, Watch] | None:
    """The rule and watch that a due flag timer is for; None when the condition has ended since."""
    rule_name, subject_id = timer.about
    rule = floor.rules.by_name.get(rule_name)
    found = floor.state.watches.get(rule_name, {}).get(subject_id)
    if rule is None or found is None or found.generation != timer.generation or found.flag_id:
        return None
    return rule, found


def raise_flag(floor: Floor, rule: Rule, found: Watch, labels: Mapping[str, str]) -> None:
    """Raise the flag of a watch whose deadline has passed, stamped with the deadline."""
    site = floor.state.site
    micros = round(found.started.timestamp() * 1_000_000)
    found.flag_id = f"{site}:{rule.name}:{found.subject_id}:{micros}"
    said = {**labels, "queue": floor.config.queue(labels["queue"]).label or labels["queue"]}
    flag = Flag(
        flag_id=found.flag_id,
        rule=rule.name,
        severity=rule.severity,
        subject=rule.subject,
        subject_id=found.subject_id,
        started=found.started,
        raised=found.deadline,
        summary_en=rule.summary.en.format_map({**said, "for": say_duration(rule.hold, "en")}),
        summary_zh=rule.summary.zh.format_map({**said, "for": say_duration(rule.hold, "zh")}),
        labels=dict(labels),
    )
    floor.state.flags[flag.flag_id] = flag
    floor.state.told.setdefault(rule.name, {})[found.subject_id] = found.started
    floor.touch("flag", flag.flag_id)
    floor.emit(
        f"flag:{flag.flag_id}:raised",
        found.deadline,
        facts.FlagRaised(
            flag_id=flag.flag_id,
            rule=flag.rule,
            severity=flag.severity,
            subject=flag.subject,
            subject_id=flag.subject_id,
            started_at=flag.started,
            raised_at=flag.raised,
            summary_en=flag.summary_en,
            summary_zh=flag.summary_zh,
            labels=flag.labels,
            evidence=floor.picture(floor, rule.subject, found.subject_id),
            simulated=floor.state.simulated,
            replay=floor.state.replay,
        ),
    )


def _end(floor: Floor, rule_name: str, found: Watch, at: datetime) -> None:
    del floor.state.watches[rule_name][found.subject_id]
    if not found.flag_id:
        return
    flag = floor.state.flags.pop(found.flag_id)
    floor.touch("flag", found.flag_id)
    floor.emit(
        f"flag:{found.flag_id}:cleared",
        at,
        facts.FlagCleared(
            flag_id=found.flag_id,
            rule=rule_name,
            subject=flag.subject,
            subject_id=found.subject_id,
            cleared_at=at,
            duration_s=(at - found.started).total_seconds(),
            evidence=floor.picture(floor, flag.subject, found.subject_id),
        ),
    )
