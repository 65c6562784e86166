"""What a session knows of everything else, on a running monitor: the engine's views, the users file, the sites' policies."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime

import msgspec

from services.monitor.core.engine import Engine
from services.monitor.core.views import AgentView, CallView, LegView, SiteView
from services.monitor.desk.visibility import Sight
from services.monitor.listen.model import Listen
from services.monitor.listen.policies import LivePolicies
from services.monitor.listen.policy import Allowed, Refused, Verdict, decide
from services.monitor.listen.spots import Board, facts_of
from shared.auth import Authenticator
from shared.clock import Clock
from shared.commands import Mode
from shared.identity import LOCAL, Principal
from shared.sessions import unlisted
from shared.siteconfig import Listening, Purpose


class EngineBoard:
    """The engine's views. `present`: whether they are of the present."""

    def __init__(self, engine: Engine, present: Callable[[], bool]) -> None:
        self._engine = engine
        self._present = present

    def call(self, site: str, call_id: str) -> CallView | None:
        found = self._engine.view("call", site, call_id) if call_id else None
        return found if isinstance(found, CallView) else None

    def agent(self, site: str, agent_id: str) -> AgentView | None:
        found = self._engine.view("agent", site, agent_id) if agent_id else None
        return found if isinstance(found, AgentView) else None

    def legs(self, site: str, agent_id: str) -> tuple[tuple[str, LegView], ...]:
        return self._engine.legs_of(site, agent_id)

    def time(self, site: str) -> datetime | None:
        found = self._engine.clocks().get(site)
        return None if found is None else found[0]

    def knows(self, site: str) -> bool:
        return self._present() and site in self._engine.sites()

    def has(self, site: str) -> bool:
        """Whether it was ever heard of."""
        return site in self._engine.sites()

    def hears(self, site: str) -> bool:
        """Whether a connector is logged in to the switch."""
        found = self._engine.view("site", site, site)
        return isinstance(found, SiteView) and found.link == "up"


class LiveWorld:
    """`ledger.World`."""

    def __init__(
        self,
        engine: Engine,
        auth: Authenticator,
        sites: LivePolicies,
        clock: Clock,
        media: str,
        present: Callable[[], bool],
    ) -> None:
        self.engine_board = EngineBoard(engine, present)
        self.board: Board = self.engine_board
        self.media = media
        self._engine = engine
        self._auth = auth
        self._sites = sites
        self._clock = clock

    def policy(self, site: str) -> Listening:
        """The site's policy of listening."""
        return self._sites.site(site).listening

    def verdict(self, who: Principal, site: str, call_id: str, agent_id: str, mode: Mode, purpose: Purpose) -> Verdict:
        """What the site's policy says now."""
        config = self._sites.site(site)
        facts = facts_of(self.board, site, call_id, agent_id)
        return decide(who, config.listening, config.zone, facts, mode, purpose, self._clock.now())

    def sees(self, who: Principal, site: str, call_id: str, agent_id: str) -> bool:
        """Whether `who` sees this call, or this agent where no call is named; between two agents the last one decides."""
        sight = Sight(self._engine, who.scope)
        if not call_id:
            return sight.agent(site, agent_id)
        call = self.board.call(site, call_id)
        if call is None:
            return False
        return sight.call(site, call_id) or (not call.legs and bool(agent_id) and sight.agent(site, agent_id))

    def may(self, listen: Listen, call_id: str, agent_id: str, mode: Mode) -> Allowed | str:
        who = self.who(listen)
        if who is None:
            return "signed_out"
        if self.board.knows(listen.site):
            followed = agent_id if listen.follow == "agent" else ""
            if not self.sees(who, listen.site, "" if followed else call_id, agent_id):
                return "not_allowed:scope"
            verdict = self.verdict(who, listen.site, call_id, agent_id, mode, listen.purpose)
        elif who.may("calls.listen"):
            return Allowed(listen.until)  # what is known of the floor is from before; the user is known
        else:
            return "not_allowed:permission"
        return f"not_allowed:{verdict.code}" if isinstance(verdict, Refused) else verdict

    def who(self, listen: Listen) -> Principal | None:
        """Who listens, as the users file has them now; None when their token ended or they are gone."""
        held = msgspec.structs.replace(
            LOCAL,
            user=listen.user,
            name=listen.user_name,
            issued=listen.token_issued,
            expires=listen.token_expires,
            facts=None if listen.token_facts is None else unlisted(listen.token_facts),
        )
        return self._auth.current(held)

    def name(self, site: str, agent_id: str) -> str:
        """The agent's name as the board has it; "" for one it does not know."""
        found = self.board.agent(site, agent_id)
        return found.name if found is not None else ""

    def new_id(self) -> str:
        """A UUID."""
        return str(uuid.uuid4())
