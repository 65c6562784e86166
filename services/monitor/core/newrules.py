"""Rules that changed between a checkpoint and its restore: their watches are made anew by what the state says now."""

from __future__ import annotations

from services.monitor.core import agents, calls, transfers, watching
from services.monitor.core.floor import Floor
from services.monitor.core.rulebook import Rule, RuleBook
from services.monitor.core.state import SiteState


def fingerprints(rules: RuleBook) -> dict[str, str]:
    """What `SiteState.rules` is for these rules."""
    return {rule.name: rule.fingerprint for rule in rules.rules}


def adopt(floor: Floor) -> None:
    """Bring the watches in line with the rules in force. With the rules of the checkpoint nothing changes.

    A condition that already held is counted from its start, so a new rule may flag at once, stamped with its deadline.
    """
    state, in_force = floor.state, fingerprints(floor.rules)
    changed = [name for name in (*state.rules, *in_force) if state.rules.get(name) != in_force.get(name)]
    state.rules = in_force
    if state.now is None:
        return
    for name in dict.fromkeys(changed):
        watching.retire(floor, name, state.now)
        rule = floor.rules.by_name.get(name)
        if rule is not None:
            _ask_all(floor, state, rule)


def _ask_all(floor: Floor, state: SiteState, rule: Rule) -> None:
    assert state.now is not None
    if rule.subject == "agent":
        for agent in state.agents.values():
            tags = floor.config.agent(agent.agent_id).tags
            labels = agents.labels_of(floor, agent)
            watching.ask(floor, rule, agent.agent_id, labels, agent.since, state.now, tags)
    elif rule.subject == "call":
        for call in state.calls.values():
            since = call.since or call.started
            watching.ask(floor, rule, call.call_id, calls.labels_of(floor, call), since, state.now)
    else:
        for transfer in state.transfers.values():
            tags = floor.config.agent(transfer.from_agent).tags
            labels = transfers.labels_of(floor, transfer)
            watching.ask(floor, rule, transfer.transfer_id, labels, transfer.requested, state.now, tags)
