"""What somebody may see of the desk: the same as of the board (feed/lens.py).

Of what is over the board may know nothing any more; of an agent whom it does not show, the team as it was recorded decides.
"""

from __future__ import annotations

from typing import Any

from services.monitor.core.engine import Engine
from services.monitor.core.floor import Kind
from services.monitor.feed.lens import AgentTraits, Lens, QueueTraits, TransferTraits
from shared.identity import Scope


class Sight:
    """A scope, over the floor as it is now."""

    def __init__(self, engine: Engine, scope: Scope) -> None:
        self._engine = engine
        self._scope = scope
        self._lens = Lens(scope)

    def site(self, site: str) -> bool:
        return self._lens.site(site)

    def whole(self, site: str) -> bool:
        """Whether they see all of the site."""
        return self._scope.whole(site)

    def queue(self, site: str, queue: str) -> bool:
        return self._lens.sees("queue", QueueTraits(site, queue), self._engine.view)

    def agent(self, site: str, agent_id: str) -> bool:
        card = self._engine.view("agent", site, agent_id) or AgentTraits(site, agent_id, "", ())
        return self._lens.sees("agent", card, self._engine.view)

    def call(self, site: str, call_id: str) -> bool:
        """Whether the board shows this call to them."""
        call = self._engine.view("call", site, call_id)
        return call is not None and self._lens.sees("call", call, self._engine.view)

    def transfer(self, site: str, teams: dict[str, str], to_queue: str) -> bool:
        """`teams`: its agents, "" for none, with their teams as far as they are known."""

        def look(kind: Kind, where: str, key: str) -> Any:
            return self._engine.view(kind, where, key) or AgentTraits(where, key, teams.get(key, ""), ())

        agents = tuple(agent for agent in teams if agent)
        return self._lens.sees("transfer", TransferTraits(site, agents, to_queue), look)

    def shown_transfer(self, site: str, transfer_id: str) -> bool:
        """Whether the board shows this transfer to them."""
        transfer = self._engine.view("transfer", site, transfer_id)
        return transfer is not None and self._lens.sees("transfer", transfer, self._engine.view)
