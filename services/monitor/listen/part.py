"""Listening in one monitor, put together: what its routes work with, and its tasks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import msgspec
import structlog
from prometheus_client import CollectorRegistry

from services.monitor.core.engine import Engine
from services.monitor.desk.desk import Desk
from services.monitor.lasting import lasting
from services.monitor.listen import addresses, passes
from services.monitor.listen.book import Book
from services.monitor.listen.courier import Courier
from services.monitor.listen.keeper import Keeper
from services.monitor.listen.knowing import may_know
from services.monitor.listen.ledger import LEASE_S
from services.monitor.listen.metrics import ListenMetrics
from services.monitor.listen.model import Entry, Follow, Listen
from services.monitor.listen.policies import LivePolicies
from services.monitor.listen.policy import Refused, longest
from services.monitor.listen.session import Sessions
from services.monitor.listen.spots import in_call, of_agent
from services.monitor.listen.trail import Trail
from services.monitor.listen.views import Audio
from services.monitor.listen.world import LiveWorld
from shared.auth import Authenticator
from shared.bus import Bus
from shared.clock import Clock
from shared.commands import Mode
from shared.errors import FloorwatchError, StoreError
from shared.events import CommandAnswered
from shared.identity import Principal
from shared.service import Background
from shared.sessions import listed
from shared.settings import MonitorSettings, RelaySettings
from shared.siteconfig import Purpose, Sites
from shared.tokens import secret_of

MOST_OPEN: Final = 50  # of one user

log = structlog.get_logger()


class NotThere(FloorwatchError):
    """There is no such call, agent or listen, or not for who asks."""


class NotAllowed(FloorwatchError):
    """The site's policy says no."""

    def __init__(self, why: Refused) -> None:
        super().__init__(why.en)
        self.why = why


class Deaf(FloorwatchError):
    """The switch is not heard, or this monitor is behind: nobody knows what there is to listen to."""


class ListensAlready(FloorwatchError):
    """The same user listens to the same thing."""

    def __init__(self, listen_id: str) -> None:
        super().__init__("you listen to this already")
        self.listen_id = listen_id


class TooManyListens(FloorwatchError):
    """The user has as many listens open as one may."""


class Wish(msgspec.Struct, frozen=True):
    """What somebody asks for: a call or an agent."""

    site: str
    call_id: str
    agent_id: str
    mode: Mode
    purpose: Purpose
    comment: str

    @property
    def follow(self) -> Follow:
        return "call" if self.call_id else "agent"


class Listening:
    """Listens of one monitor. What cannot be written down is not heard: methods raise StoreError while the database is away."""

    def __init__(
        self,
        settings: MonitorSettings,
        relay: RelaySettings,
        engine: Engine,
        auth: Authenticator,
        sites: Sites,
        desk: Desk,
        clock: Clock,
        registry: CollectorRegistry,
        *,
        orders: Bus | None = None,
        reports: Bus | None = None,
    ) -> None:
        """`orders` and `reports`: buses of its own; without them nobody can listen."""
        self.desk = desk
        self.store = desk.store
        self.clock = clock
        self.sites = LivePolicies(sites, registry)
        self.world = LiveWorld(engine, auth, self.sites, clock, addresses.media_url(relay), desk.present)
        self.metrics = ListenMetrics(registry)
        self._auth = auth
        self._settings = settings
        self._relay = relay
        self._reports = reports
        self._courier = None if orders is None else Courier(self.store, orders, clock, self.metrics)
        self.keeper = (
            None if self._courier is None else Keeper(self.store, self.world, self._courier, clock, self.metrics)
        )

    def start(self, background: Background) -> None:
        """Run what it does by itself; nothing without a database or the buses."""
        if not self.store.exists or self.keeper is None or self._courier is None:
            return
        work: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "listening": self.keeper.run,
            "listening-orders": self._courier.run,
        }
        if self._reports is not None:
            intake = self.keeper.intake(self._reports)
            work["listening-reports"] = intake.run
        for name, run in work.items():
            background.start(name, lasting(self.clock, "listening", name, partial(self._once_migrated, run)))

    async def _once_migrated(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await self.store.migrated.wait()
        await run()

    # ------------------------------------------------------------ from the engine

    def on_batch(self) -> None:
        """The engine applied a batch."""
        if self.keeper is not None:
            self.keeper.stir()

    def answered(self, said: CommandAnswered) -> None:
        """A connector said what it did with a command."""
        if self.keeper is not None:
            self.keeper.answered(said)

    # ------------------------------------------------------------ what people want

    async def ask(self, who: Principal, wish: Wish) -> Listen:
        """Begin to listen.

        Raises NotThere, NotAllowed, Deaf, ListensAlready, TooManyListens, SomebodySpeaks, NobodyThere, StoreError.
        """
        keeper = self._keeper()
        world, board = self.world, self.world.engine_board
        if not board.knows(wish.site):
            if not who.scope.site(wish.site) or self.desk.present():
                raise NotThere(_nothing(wish))
            raise Deaf("this monitor is behind, or its board is not of the present; try again in a moment")
        call_id, agent_id = self._whom(wish)
        if not (call_id or agent_id) or not world.sees(who, wish.site, wish.call_id, agent_id):
            if call_id or agent_id:
                await self._write_refusal(who, wish, call_id, agent_id, "not_visible")
            raise NotThere(_nothing(wish))
        if not board.hears(wish.site):
            raise Deaf(f"the switch of site {wish.site} is not heard now, so it cannot be asked for sound")
        verdict = world.verdict(who, wish.site, call_id, agent_id, wish.mode, wish.purpose)
        if isinstance(verdict, Refused):
            await self._write_refusal(who, wish, call_id, agent_id, verdict.code)
            raise NotAllowed(verdict)
        now, policy = self.clock.now(), world.policy(wish.site)
        ends = [one for one in (longest(policy, now), verdict.until, who.expires) if one is not None]
        listen = Listen(
            listen_id=world.new_id(),
            site=wish.site,
            user=who.user,
            user_name=who.name,
            token_issued=who.issued,
            token_expires=who.expires,
            token_facts=None if who.facts is None else listed(who.facts),
            follow=wish.follow,
            call_id=call_id,
            agent_id=agent_id,
            agent_name=world.name(wish.site, agent_id),
            purpose=wish.purpose,
            comment=wish.comment,
            mode=wish.mode,
            tell_agent=policy.tell_agent,
            started_at=now,
            until=min(ends),
            leased_until=min(*ends, _after(now, LEASE_S)),
        )

        def work(sessions: Sessions) -> Listen:
            mine = [one for one in sessions.listens.values() if one.user == who.user and one.ended_at is None]
            same = next((one for one in mine if _same(one, wish)), None)
            if same is not None and self._auth.mode == "users":  # without users everybody is the same one
                raise ListensAlready(same.listen_id)
            if len(mine) >= MOST_OPEN:
                raise TooManyListens(f"you have {len(mine)} listens open; end one first")
            sessions.ask(listen)
            return listen

        return await keeper.change(work)

    def _whom(self, wish: Wish) -> tuple[str, str]:
        """The call and the agent that would be heard now; both "" for what is not there."""
        board = self.world.engine_board
        if wish.call_id:
            call = board.call(wish.site, wish.call_id)
            spot = None if call is None else in_call(call)
            return ("", "") if call is None else (wish.call_id, spot.agent_id if spot else "")
        if board.agent(wish.site, wish.agent_id) is None:
            return "", ""
        spot = of_agent(wish.agent_id, board.legs(wish.site, wish.agent_id))
        return spot.call_id if spot else "", wish.agent_id

    async def switch(self, who: Principal, listen_id: str, mode: Mode) -> Listen:
        """Change the mode of one's own listen. Raises NotThere, NotAllowed, SomebodySpeaks, NobodyThere, Over, StoreError."""
        listen = await self.listen(who, listen_id)
        if listen.user != who.user:
            raise NotThere(f"there is no listen {listen_id} of yours")
        verdict = self.world.verdict(who, listen.site, listen.call_id, listen.agent_id, mode, listen.purpose)
        if isinstance(verdict, Refused) and mode != "listen" and listen.ended_at is None:
            wish = Wish(listen.site, listen.call_id, listen.agent_id, mode, listen.purpose, "")
            await self._write_refusal(
                who, wish, listen.call_id, listen.agent_id, verdict.code, listen_id=listen.listen_id
            )
            raise NotAllowed(verdict)

        def work(sessions: Sessions) -> Listen:
            found = sessions.listens.get(listen_id, listen)
            sessions.set_mode(found, mode)
            return found

        return await self._keeper().change(work)

    async def stop(self, who: Principal, listen_id: str) -> Listen:
        """End a listen of one's own; anybody's for who may act on the floor, of what they see. Raises NotThere, StoreError."""
        listen = await self.listen(who, listen_id)
        if listen.user != who.user and not who.may("floor.act"):
            raise NotThere(f"there is no listen {listen_id} of yours")

        def work(sessions: Sessions) -> Listen:
            found = sessions.listens.get(listen_id, listen)
            sessions.end(found, "by_listener" if found.user == who.user else "by_other", by=who.user)
            sessions.review()
            return found

        return await self._keeper().change(work)

    async def listen(self, who: Principal, listen_id: str) -> Listen:
        """One listen: one's own, or one of what is seen. Raises NotThere, StoreError."""
        async with self.store.reading() as session:
            found = await Book(session).listen(listen_id)
        if found is None or not self.shows(who, found):
            raise NotThere(f"there is no listen {listen_id}")
        return found

    def shows(self, who: Principal, listen: Listen) -> bool:
        """Whether `who` may know of this listen."""
        return may_know(self.desk, who, listen)

    def audio(self, listen: Listen, host: str, scheme: str) -> Audio | None:
        """Where this listen is heard, with a pass; None for one that is over. Raises SettingsError."""
        if listen.ended_at is not None:
            return None
        base = addresses.relay_url(self._settings, self._relay, host, scheme)
        signed = passes.sign_pass(secret_of(self._settings), listen.user, listen.listen_id, self.clock.now())
        url = f"{base}/api/v1/listens/{listen.listen_id}/audio"
        return Audio(url=url, pass_=signed, expires_in_s=float(passes.VALID_S))

    async def write_not_permitted(self, who: Principal, wish: Wish) -> None:
        """That somebody without the permission asked for a call or agent that there is. Raises StoreError."""
        call_id, agent_id = self._whom(wish)
        if call_id or agent_id:
            await self._write_refusal(who, wish, call_id, agent_id, "permission")

    async def _write_refusal(
        self, who: Principal, wish: Wish, call_id: str, agent_id: str, code: str, *, listen_id: str = ""
    ) -> None:
        """That somebody wanted to, and was not let."""
        detail = {"code": code, "follow": wish.follow, "comment": wish.comment}
        entry = Entry(
            at=self.clock.now(),
            site=wish.site,
            kind="refused",
            listen_id=listen_id,
            by=who.user,
            by_name=who.name,
            agent_id=agent_id,
            agent_name=self.world.name(wish.site, agent_id),
            call_id=call_id,
            purpose=wish.purpose,
            mode=wish.mode,
            detail=msgspec.json.encode({name: value for name, value in detail.items() if value}).decode(),
        )
        async with self.store.unit_of_work() as session:
            await Book(session).lock()
            await Trail(session).add([entry])
        self.metrics.refused.labels(code).inc()
        log.info("listening refused", user=who.user, site=wish.site, code=code)

    def _keeper(self) -> Keeper:
        if self.keeper is None:
            raise StoreError("this monitor has nothing to order sound by")
        return self.keeper


def _nothing(wish: Wish) -> str:
    what = f"call {wish.call_id}" if wish.call_id else f"agent {wish.agent_id}"
    return f"there is no {what} at site {wish.site} on the board"


def _same(other: Listen, wish: Wish) -> bool:
    if (other.site, other.follow) != (wish.site, wish.follow):
        return False
    return other.call_id == wish.call_id if wish.follow == "call" else other.agent_id == wish.agent_id


def _after(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)
