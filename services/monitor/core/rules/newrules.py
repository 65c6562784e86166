"""Rules that changed, between a checkpoint and its restore or while running: their watches are made anew by the state."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.monitor.core.floor import Floor
from services.monitor.core.rules import pulse, watching
from services.monitor.core.rules.rulebook import RuleBook

MOST_GONE: Final = 100  # rules no longer in force whose flags are remembered; the rule that first raised one goes first


def fingerprints(rules: RuleBook) -> dict[str, str]:
    """What `SiteState.rules` is for these rules."""
    return {rule.name: rule.fingerprint for rule in rules.rules}


def adopt(floor: Floor) -> None:
    """Bring the watches in line with the rules in force. With the rules that they were made by nothing changes.

    A condition that already held is counted from its start where the state tells that, so a new rule may flag at once, stamped
    with its deadline; where other things changed since, it is counted from now.
    """
    state, in_force = floor.state, fingerprints(floor.rules)
    changed = [name for name in (*state.rules, *in_force) if state.rules.get(name) != in_force.get(name)]
    state.rules = in_force
    index(floor)
    if state.now is None or not changed:
        return
    for name in dict.fromkeys(changed):
        _retire(floor, name, state.now)
    index(floor)
    pulse.begin(floor, state.now, changed)
    for name in dict.fromkeys(changed):
        armed = floor.rules.armed.get(name)
        if armed is not None:
            watching.ask_everybody(floor, armed, state.now, as_it_began=True)


def index(floor: Floor) -> None:
    """Find the watches of each subject, which the state holds by rule."""
    for found in floor.watched.values():
        found.clear()
    for name, watches in floor.state.watches.items():
        rule = floor.rules.by_name.get(name)
        if rule is not None:
            for subject_id, watch in watches.items():
                floor.watched[rule.subject].setdefault(subject_id, {})[name] = watch


def _retire(floor: Floor, name: str, at: datetime) -> None:
    """A rule is no longer in force, or not as it was: let its watches go. Raised flags of a rule that still exists stay
    until it is asked anew. What a rule that is gone told is kept: it may come back, and the id of a flag comes once."""
    state, rule = floor.state, floor.rules.by_name.get(name)
    for found in tuple(state.watches.get(name, {}).values()):
        if found.flag_id and (rule is None or state.flags[found.flag_id].subject != rule.subject):
            watching.end(floor, found, state.flags[found.flag_id].subject, at)
        elif not found.flag_id:
            del state.watches[name][found.subject_id]
    if rule is None:
        state.watches.pop(name, None)
        gone = [one for one in state.told if one not in floor.rules.by_name]
        for one in gone[:-MOST_GONE]:
            del state.told[one]
