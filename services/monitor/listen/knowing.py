"""Who may know of a listen: that it is or was, whom it heard, what was noted."""

from __future__ import annotations

from services.monitor.desk.desk import Desk
from services.monitor.listen.model import Listen
from services.monitor.listen.tables import ListenRow
from shared.identity import Principal


def may_know(desk: Desk, who: Principal, listen: Listen | ListenRow) -> bool:
    """Their own, and those of agents, or calls without one, that they see."""
    if listen.user == who.user:
        return True
    sight = desk.sight(who)
    if not sight.site(listen.site):
        return False
    if sight.whole(listen.site):
        return True
    return sight.agent(listen.site, listen.agent_id) if listen.agent_id else sight.call(listen.site, listen.call_id)
