"""Rules at work: which conditions hold, since when, and the flags they raise.

Whatever changes an agent, a call, a transfer, a queue or the site touches it (`Floor.touch`); after each event and each timer
`catch_up` asks the rules about those subjects. A condition begins when it is first found to hold and runs on for as long as it
does, through whatever else changes. Most subjects are in a state that no rule names and cost two look-ups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from services.monitor.core.floor import Floor, in_micros
from services.monitor.core.rules import grid, rulewords
from services.monitor.core.rules.rulebook import PULSED, Armed, Asked, Rule
from services.monitor.core.rules.rulefacts import Facts
from services.monitor.core.rules.rulefields import LABELS, STEADY
from services.monitor.core.state import Agent, Call, Flag, Queue, SiteState, Timer, Transfer, Watch
from shared import facts
from shared.facts import Subject
from shared.masking import masked_field

_MICROSECOND: Final = timedelta(microseconds=1)


# ---------------------------------------------------------------- whom to ask


def catch_up(floor: Floor, at: datetime) -> None:
    """Ask the rules about everything that was touched since; `at` is the time of what touched it. Who lets a subject go has
    called `forget`."""
    floor.show_touched()
    touched, floor.touched = floor.touched, {}
    state, rules = floor.state, floor.rules
    for kind, key in touched:
        if kind == "agent":
            agent = state.agents.get(key)
            if agent is not None:
                _ask(floor, kind, key, agent, rules.for_state[kind][agent.state], agent.since, at)
        elif kind == "queue":
            queue = state.queues.get(key)
            if queue is not None and not queue.stirred and kind in rules.watched:
                grid.stir(floor, queue)
        elif kind == "call":
            call = state.calls.get(key)
            if call is not None:
                asked = rules.for_state[kind][call.state]
                if asked.rules or key in floor.watched[kind]:
                    _ask(floor, kind, key, call, asked, call.since, at)
        elif kind == "transfer":
            transfer = state.transfers.get(key)
            if transfer is not None:
                asked = rules.for_state[kind][transfer.outcome]
                _ask(floor, kind, key, transfer, asked, transfer.ended or transfer.requested, at)
        elif kind == "site":
            ask_site(floor, at, on_grid=False)


def ask_site(floor: Floor, at: datetime, *, on_grid: bool) -> None:
    """Ask the rules about the site: those over its figures on the grid, those over its link when it changed."""
    state, found = floor.state, None
    for armed in floor.rules.by_subject["site"]:
        if armed.on_grid == on_grid:
            if found is None and not armed.direct:
                found = Facts(floor, "site", state, at)
            ask(floor, armed, state.site, state, found, at)


def _ask(
    floor: Floor, subject: Subject, subject_id: str, it: Any, asked: Asked, since: datetime | None, at: datetime
) -> None:
    """Ask the rules that may hold for `it` in the state that it is in, which began at `since`; end what others watched."""
    mine = floor.watched[subject].get(subject_id)
    may = asked.sure or asked.may(None, it)
    if not may and not mine:
        return
    if since is not None and since > at:
        at = since  # told late: it takes effect where the shown state begins
    found: Facts | None = None
    for armed, left, direct in asked.rules if may or not asked.names.isdisjoint(mine or ()) else ():
        if found is None and not direct:
            found = Facts(floor, subject, it, at)
        holds = left is None or left(found, it)
        running = mine.get(armed.name) if mine else None
        if holds or running is not None:  # else nothing was watched, and nothing begins
            answered(floor, armed, running, subject_id, it, at, holds=holds)
    if mine and not asked.names.issuperset(mine):
        gone = [floor.rules.armed[name] for name in mine if name not in asked.names]
        if len(gone) > 1:
            gone.sort(key=_place)
        for armed in gone:
            _holds_no_longer(floor, armed, mine[armed.name], at)


def _place(armed: Armed) -> int:
    return armed.number


def ask_everybody(floor: Floor, armed: Armed, at: datetime, *, as_it_began: bool = False) -> None:
    """Ask one rule about every subject there is. `as_it_began`: what holds began with the state that it is about."""
    state, subject = floor.state, armed.rule.subject
    steady = as_it_began and armed.condition.names <= STEADY and armed.hours is None
    for subject_id in tuple(_SUBJECTS[subject](state)):
        since = None
        if steady and subject == "agent":
            since = state.agents[subject_id].since
        elif steady and subject == "call":
            since = state.calls[subject_id].since
        elif steady and subject == "transfer":
            transfer = state.transfers[subject_id]
            since = transfer.ended or transfer.requested
        it = subject_of(floor, subject, subject_id)
        ask(floor, armed, subject_id, it, Facts(floor, subject, it, at), at, since)


_SUBJECTS: Final[dict[Subject, Callable[[SiteState], Iterable[str]]]] = {
    "agent": lambda state: state.agents,
    "call": lambda state: state.calls,
    "transfer": lambda state: state.transfers,
    "queue": lambda state: state.queues,
    "site": lambda state: (state.site,),
}


def ask(
    floor: Floor,
    armed: Armed,
    subject_id: str,
    it: Any,
    found: Facts | None,
    at: datetime,
    since: datetime | None = None,
) -> None:
    """Ask one rule about `it`, with its fields `found` if the rule needs them.

    A condition that begins to hold began at `since`, now if that is not given.
    """
    watches = floor.state.watches.get(armed.name)
    running = None if watches is None else watches.get(subject_id)
    holds = armed.holds(found, it)
    if holds or running is not None:
        answered(floor, armed, running, subject_id, it, at, since, holds=holds)


def answered(
    floor: Floor,
    armed: Armed,
    running: Watch | None,
    subject_id: str,
    it: Any,
    at: datetime,
    since: datetime | None = None,
    *,
    holds: bool,
) -> None:
    """The condition of a rule, watched as `running`, holds for `it` or not: begin to watch, go on, or end."""
    if not holds or (armed.hours is not None and not is_open(floor, armed.name)):
        if running is not None:
            _holds_no_longer(floor, armed, running, at)
        return
    if running is not None:
        if armed.rule.subject != "agent" or not _anew(running, it):
            running.lapsed = None
            return
        end(floor, running, "agent", at)
    _begin(floor, armed.rule, subject_id, it, since or at)


def _anew(running: Watch, agent: Agent) -> bool:
    """Whether the agent is in the same state as before with another call: wrap after wrap is not one long wrap."""
    state, call = running.state, running.call
    running.state, running.call = agent.state, agent.shown_call
    return running.lapsed is None and running.state == state and running.call != call


def is_open(floor: Floor, name: str) -> bool:
    """Whether a rule with hours applies now."""
    window = floor.state.windows.get(name)
    return window is not None and window.open


def deadline_passed(floor: Floor, timer: Timer) -> None:
    """A condition has held for as long as its rule allows, if it still does: raise the flag."""
    rule_name, subject_id = timer.about
    rule = floor.rules.by_name.get(rule_name)
    found = floor.state.watches.get(rule_name, {}).get(subject_id)
    if rule is None or found is None or found.generation != timer.generation or found.flag_id:
        return
    if not _still_holds(floor, rule, subject_id, timer.due):
        end(floor, found, rule.subject, timer.due)  # since it was asked last
        return
    raise_flag(floor, rule, found)


# ---------------------------------------------------------------- a watch from its beginning to its end


def _begin(floor: Floor, rule: Rule, subject_id: str, it: Any, since: datetime) -> None:
    state, name, subject = floor.state, rule.name, rule.subject
    told = state.told.get(name)
    if told is not None and subject_id in told and since <= told[subject_id]:
        since = told[subject_id] + _MICROSECOND  # by a late event back where it was: the id of a flag comes once
    begun = Watch(name, subject_id, since, since + rule.hold, 0, began=floor.cause)
    if subject == "agent":
        begun.state, begun.call = it.state, it.shown_call
    elif subject == "transfer" and it.precision_ms:
        begun.precision_ms = it.precision_ms
        begun.deadline += timedelta(milliseconds=it.precision_ms)
    state.watches.setdefault(name, {})[subject_id] = begun
    floor.watched[subject].setdefault(subject_id, {})[name] = begun
    if subject == "site" and not rule.hold:
        raise_flag(floor, rule, begun)  # while the link is down no time passes that could raise it
    else:
        begun.generation = floor.timer(begun.deadline, "flag", (name, subject_id))


def _holds_no_longer(floor: Floor, armed: Armed, found: Watch, at: datetime) -> None:
    """The condition ended at `at`: a raised flag stays for `keep`."""
    keep = armed.rule.keep
    if not found.flag_id or not keep or not (armed.hours is None or is_open(floor, armed.name)):
        end(floor, found, armed.rule.subject, at)
    elif found.lapsed is None:
        found.lapsed = at
        found.generation = floor.timer(at + keep, "keep", (armed.name, found.subject_id))


def keep_is_over(floor: Floor, timer: Timer) -> None:
    """A condition has not held for as long as its rule keeps the flag: clear it, stamped with that moment."""
    rule_name, subject_id = timer.about
    found = floor.state.watches.get(rule_name, {}).get(subject_id)
    if found is None or found.lapsed is None or found.generation != timer.generation:
        return
    rule = floor.rules.by_name[rule_name]
    if rule.subject in PULSED and _still_holds(floor, rule, subject_id, timer.due):
        found.lapsed = None  # again, since it was asked last
        return
    end(floor, found, rule.subject, timer.due)


def forget(floor: Floor, subject: Subject, subject_id: str, at: datetime) -> None:
    """The subject is gone: end what its rules watched."""
    mine = floor.watched[subject].get(subject_id) or {}
    for armed in floor.rules.by_subject[subject]:
        if armed.name in mine:
            end(floor, mine[armed.name], subject, at)
        told = floor.state.told.get(armed.name)
        if told is not None:
            told.pop(subject_id, None)
    for name, told in floor.state.told.items():
        if name not in floor.rules.by_name:  # it may come back
            told.pop(subject_id, None)


def began_earlier(floor: Floor, subject: Subject, subject_id: str, at: datetime) -> None:
    """The subject began at `at`, earlier than was told: what is watched is counted from then, unless its flag is raised."""
    for found in tuple((floor.watched[subject].get(subject_id) or {}).values()):
        if not found.flag_id and at < found.started:
            end(floor, found, subject, at)


def raise_flag(floor: Floor, rule: Rule, found: Watch) -> None:
    """Raise the flag of a watch whose deadline has passed, stamped with the deadline."""
    site = floor.state.site
    found.flag_id = f"{site}:{rule.name}:{found.subject_id}:{in_micros(found.started)}"
    values = Facts(floor, rule.subject, subject_of(floor, rule.subject, found.subject_id), found.deadline)
    flag = Flag(
        flag_id=found.flag_id,
        rule=rule.name,
        severity=rule.severity,
        subject=rule.subject,
        subject_id=found.subject_id,
        started=found.started,
        raised=found.deadline,
        summary_en=rulewords.summary(floor, rule, values, "en"),
        summary_zh=rulewords.summary(floor, rule, values, "zh"),
        labels={name: masked_field(name, values[name]) for name in LABELS[rule.subject]},
        precision_ms=found.precision_ms,
    )
    floor.state.flags[flag.flag_id] = flag
    floor.state.told.setdefault(rule.name, {})[found.subject_id] = found.started
    floor.changed["flag", flag.flag_id] = True
    if rule.subject == "site":  # may be raised while rules are asked; what counts flags is asked every second
        floor.changed["site", found.subject_id] = True
    else:
        floor.touch(rule.subject, found.subject_id)
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
            precision_ms=found.precision_ms,
        ),
        began=found.began,
    )


def _still_holds(floor: Floor, rule: Rule, subject_id: str, now: datetime) -> bool:
    """A condition over figures may have changed since it was asked last; hours may end just now."""
    armed = floor.rules.armed[rule.name]
    if armed.hours is not None and not armed.hours.open_at(now, floor.config.zone):
        return False
    if rule.subject not in PULSED:
        return True
    it = subject_of(floor, rule.subject, subject_id)
    return armed.holds(Facts(floor, rule.subject, it, now), it)


def subject_of(floor: Floor, subject: Subject, subject_id: str) -> Agent | Call | Transfer | Queue | SiteState:
    """A subject that exists."""
    state = floor.state
    if subject == "agent":
        return state.agents[subject_id]
    if subject == "call":
        return state.calls[subject_id]
    if subject == "transfer":
        return state.transfers[subject_id]
    return state.queues[subject_id] if subject == "queue" else state


def end(floor: Floor, found: Watch, subject: Subject, at: datetime) -> None:
    """The watch is over; its flag, if raised, is cleared."""
    del floor.state.watches[found.rule][found.subject_id]
    mine = floor.watched[subject].get(found.subject_id)
    if mine is not None:
        mine.pop(found.rule, None)
        if not mine:
            del floor.watched[subject][found.subject_id]
    if not found.flag_id:
        return
    flag = floor.state.flags.pop(found.flag_id)
    floor.changed["flag", found.flag_id] = True
    floor.emit(
        f"flag:{found.flag_id}:cleared",
        at,
        facts.FlagCleared(
            flag_id=found.flag_id,
            rule=found.rule,
            subject=flag.subject,
            subject_id=found.subject_id,
            cleared_at=at,
            duration_s=(at - found.started).total_seconds(),
            evidence=floor.picture(floor, flag.subject, found.subject_id),
        ),
        began=found.began,
    )
