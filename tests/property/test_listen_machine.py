"""Whatever happens, and in whatever order: one fork a target, an end to every listen, and nobody hears what they may not."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitor.core.views import AgentView, CallView, LegView
from services.monitor.listen import contract
from services.monitor.listen.ledger import LEASE_S, Message, Outcome
from services.monitor.listen.model import REASONS, Entry, Fork, Listen
from services.monitor.listen.policy import Allowed
from services.monitor.listen.session import NobodyThere, Over, Sessions, SomebodySpeaks
from shared import commands
from shared.commands import Mode
from shared.events import CommandAnswered
from shared.siteconfig import Listening
from tests.floorkit import SITE, START

USERS, CALLS, AGENTS = ("ann", "bob"), ("c1", "c2"), ("1", "2")
POLICY = Listening(max_s=300)


class Floor:
    """Calls with their agents' legs, as the engine would show them."""

    def __init__(self) -> None:
        self.calls: dict[str, dict[str, str]] = {}  # call -> agent -> state of the leg
        self.known = True
        self.now: datetime | None = START  # which stands still: nothing here is behind

    def set(self, call_id: str, agent_id: str, state: str) -> None:
        for legs in self.calls.values():
            legs.pop(agent_id, None)
        self.calls.setdefault(call_id, {})
        if state != "gone":
            self.calls[call_id][agent_id] = state

    def call(self, site: str, call_id: str) -> CallView | None:
        if call_id not in self.calls:
            return None
        legs = tuple(_leg(call_id, agent, state) for agent, state in self.calls[call_id].items())
        return CallView(
            site=site,
            call_id=call_id,
            direction="inbound",
            state="answered",
            since=START,
            started=START,
            queue="sales",
            queued_since=None,
            from_number="",
            legs=legs,
            transfer_id="",
        )

    def agent(self, site: str, agent_id: str) -> AgentView | None:
        return AgentView(
            site=site,
            agent_id=agent_id,
            name=f"Agent {agent_id}",
            team="",
            queues=(),
            state="ready",
            since=START,
            provenance="observed",
            seen=START,
            reason="",
            until=None,
            call=None,
            listened=False,
            tags=(),
        )

    def legs(self, site: str, agent_id: str) -> tuple[tuple[str, LegView], ...]:
        found = ((call, legs[agent_id]) for call, legs in self.calls.items() if agent_id in legs)
        return tuple((call, _leg(call, agent_id, state)) for call, state in found)

    def time(self, site: str) -> datetime | None:
        return self.now

    def knows(self, site: str) -> bool:
        return self.known


def _leg(call_id: str, agent_id: str, state: Any) -> LegView:
    return LegView(leg_id=f"{call_id}/{agent_id}", agent_id=agent_id, role="agent", state=state, since=START)


class Run:
    """The machine, what is kept of it between two transactions, and what the relay and the switch were told."""

    def __init__(self) -> None:
        self.now, self.board, self.media = START, Floor(), "audiosocket://127.0.0.1:8604"
        self.allowed, self.users, self.count, self.run = set(AGENTS), set(USERS), 0, 1
        self.listens: dict[str, bytes] = {}
        self.forks: dict[str, bytes] = {}
        self.all: dict[str, Listen] = {}
        self.entries: list[Entry] = []
        self.messages: list[Message] = []
        self.newest: dict[str, contract.ListenOrdered] = {}
        self.sounding: set[str] = set()  # forks that the relay expects or has

    # what the machine asks for

    def policy(self, site: str) -> Listening:
        return POLICY

    def may(self, listen: Listen, call_id: str, agent_id: str, mode: Mode) -> Allowed | str:
        if listen.user not in self.users:
            return "signed_out"
        return Allowed(None) if not agent_id or agent_id in self.allowed else "not_allowed:not_them"

    def new_id(self) -> str:
        self.count += 1
        return f"id-{self.count}"

    # transactions

    def load(self) -> Sessions:
        listens = [msgspec.msgpack.decode(raw, type=Listen) for raw in self.listens.values()]
        forks = [msgspec.msgpack.decode(raw, type=Fork) for raw in self.forks.values()]
        return Sessions(self.now, [one for one in listens if one.open], [one for one in forks if one.open_target], self)

    def change(self, work: Callable[[Sessions], object], *, review: bool = True) -> Outcome:
        sessions = self.load()
        work(sessions)
        if review:
            sessions.review()
        outcome = sessions.finish()
        for listen in outcome.listens:
            self.listens[listen.listen_id] = msgspec.msgpack.encode(listen)
            self.all[listen.listen_id] = listen
        for fork in outcome.forks:
            self.forks[fork.fork_id] = msgspec.msgpack.encode(fork)
        self.entries += outcome.entries
        self.messages += outcome.messages
        for message in outcome.messages:
            self._told(message)
        return outcome

    def _told(self, message: Message) -> None:
        if isinstance(message.data, contract.ListenOrdered):
            before = self.newest.get(message.data.listen_id)
            assert before is None or message.data.version > before.version
            assert before is None or before.state != "ended", "nothing is ordered after the end"
            self.newest[message.data.listen_id] = message.data
        elif isinstance(message.data, contract.ForkOrdered):
            assert message.data.fork_id not in self.sounding
            self.sounding.add(message.data.fork_id)
        elif isinstance(message.data, contract.ForkEnded):
            self.sounding.discard(message.data.fork_id)

    def open_forks(self) -> list[Fork]:
        found = (msgspec.msgpack.decode(raw, type=Fork) for raw in self.forks.values())
        return [one for one in found if one.state != "ended"]

    def open_listens(self) -> list[str]:
        return [key for key, one in self.all.items() if one.ended_at is None]

    # what can happen: `pick` chooses among what there is

    def ask(self, pick: int) -> None:
        user, follow = USERS[pick % 2], ("call", "agent")[pick // 2 % 2]
        mode: Mode = ("listen", "listen", "whisper", "barge")[pick // 4 % 4]
        call_id = CALLS[pick // 16 % 2] if follow == "call" else ""
        if user not in self.users or (call_id and call_id not in self.board.calls):
            return
        agent_id = AGENTS[pick // 32 % 2] if follow == "agent" else ""
        if agent_id and agent_id not in self.allowed:
            return
        until = self.now + timedelta(seconds=POLICY.max_s)
        listen = Listen(
            listen_id=self.new_id(),
            site=SITE,
            user=user,
            user_name=user,
            follow=follow,  # type: ignore[arg-type]
            call_id=call_id,
            agent_id=agent_id,
            purpose="live_qa",
            mode=mode,
            started_at=self.now,
            until=until,
            leased_until=until,
            tell_agent="during",
        )
        try:
            self.change(lambda sessions: sessions.ask(listen))
        except (SomebodySpeaks, NobodyThere):
            assert mode != "listen"

    def mode(self, pick: int) -> None:
        modes: tuple[Mode, ...] = ("listen", "whisper", "barge")
        self._with_listen(pick // 3, lambda sessions, one: sessions.set_mode(one, modes[pick % 3]))

    def stop(self, pick: int) -> None:
        self._with_listen(pick, lambda sessions, one: sessions.end(one, "by_listener", by=one.user))

    def _with_listen(self, pick: int, work: Callable[[Sessions, Listen], None]) -> None:
        if not (found := self.open_listens()):
            return
        key = found[pick % len(found)]
        with suppress(SomebodySpeaks, NobodyThere, Over):
            self.change(lambda sessions: work(sessions, sessions.listens[key]))

    def join(self, pick: int) -> None:
        self._listener(pick, lambda key: contract.ListenerJoined(listen_id=key, relay="r", run=str(self.run)))

    def left(self, pick: int) -> None:
        how: Any = ("closed", "lost", "slow", "ended")[pick % 4]
        self._listener(
            pick // 4, lambda key: contract.ListenerLeft(listen_id=key, relay="r", run=str(self.run), how=how)
        )

    def heard(self, pick: int) -> None:
        def data(key: str) -> contract.ListenerHeard:
            fork = self.newest[key].fork_id or "other"
            return contract.ListenerHeard(listen_id=key, fork_id=fork, bytes=pick, seconds=pick / 10, discarded=0)

        self._listener(pick, data)

    def _listener(self, pick: int, data: Callable[[str], Any]) -> None:
        if self.newest:
            key = sorted(self.newest)[pick % len(self.newest)]
            self.change(lambda sessions: sessions.reported(data(key)))

    def fork(self, pick: int) -> None:
        found = self.open_forks()
        if not found:
            return
        fork, what = found[pick // 9 % len(found)], pick % 9
        if what < 4:
            up = contract.ForkUp(fork_id=fork.fork_id, relay="r", run=str(self.run), rate_hz=8000, channels=2)
            self.change(lambda sessions: sessions.reported(up))
            return
        how: Any = ("closed", "hung_up", "no_sound", "never_came", "bad_audio")[what - 4]
        down = contract.ForkDown(
            fork_id=fork.fork_id, relay="r", run=str(self.run), how=how, detail="x", frames=0, discarded=0, seconds=0.0
        )
        self.change(lambda sessions: sessions.reported(down))

    def answer(self, pick: int) -> None:
        found = self.open_forks()
        if found:
            outcome: Any = ("taken", "done", "failed", "refused", "expired")[pick % 5]
            action = ("listen_start", "listen_mode")[pick // 5 % 2]
            fork = found[pick // 10 % len(found)]
            asked = fork.asked if pick // 20 % 2 else "another"
            said = CommandAnswered(command_id=asked, action=action, outcome=outcome, fork_id=fork.fork_id)
            self.change(lambda sessions: sessions.answered(said))

    def restart(self, pick: int) -> None:
        self.run += 1
        self.change(lambda sessions: sessions.reported(contract.RelayStarted(relay="r", run=str(self.run))))

    def leg(self, pick: int) -> None:
        state = ("ringing", "talking", "talking", "held", "gone")[pick % 5]
        self.board.set(CALLS[pick // 5 % 2], AGENTS[pick // 10 % 2], state)
        self.change(lambda sessions: None)

    def clear(self, pick: int) -> None:
        self.board.calls.pop(CALLS[pick % 2], None)
        self.change(lambda sessions: None)

    def revoke(self, pick: int) -> None:
        if pick % 3 == 0:
            self.users.symmetric_difference_update({USERS[pick // 3 % 2]})
        elif pick % 3 == 1:
            self.allowed.symmetric_difference_update({AGENTS[pick // 3 % 2]})
        else:
            self.board.known = not self.board.known
        self.change(lambda sessions: None)

    def wait(self, pick: int) -> None:
        """A second at a time, as the keeper looks, or longer than anybody may be away."""
        if pick % 13 == 12:
            self.now += timedelta(seconds=LEASE_S + 10)
            self.change(lambda sessions: None)
            assert self.open_listens() == [], "what nobody could write down has ended"
            return
        for _ in range(pick % 13 + 1):
            self.now += timedelta(seconds=1)
            self.change(lambda sessions: None)

    # what must hold after each

    def check(self) -> None:
        again = self.load()
        again.review()
        done = again.finish()
        assert done == Outcome((), (), (), (), ()), "what is done already changes nothing"
        forks = self.open_forks()
        assert all(self.now - one.ordered_at <= timedelta(seconds=11) for one in forks if one.state != "up")
        targets = Counter((one.site, one.target) for one in forks)
        assert all(count == 1 for count in targets.values()), "one fork a target"
        assert {one.fork_id for one in forks} == self.sounding, "the relay expects what is open"
        for key, order in self.newest.items():
            listen = self.all[key]
            assert order.state == listen.state
            assert listen.reason in REASONS or (listen.reason == "" and listen.state in ("live", "starting"))
            if order.state == "ended":
                assert (order.fork_id, order.speak_fork_id, order.mode) == ("", "", "listen")
                continue
            assert order.until > self.now, "the relay ends what nobody renews"
            if order.fork_id:
                assert listen.connected or not listen.ever_connected, "no sound for a page that is gone"
                self._check_hears(listen, order)
            speaker = [one for one in forks if one.owner == key]
            assert len(speaker) <= 1
            assert (order.mode != "listen") == bool(order.speak_fork_id)
            assert not order.speak_fork_id or [order.speak_fork_id] == [one.fork_id for one in speaker]
        speaking = Counter(one.call_id for one in self.newest.values() if one.mode != "listen")
        assert all(count == 1 for count in speaking.values()), "one speaker a call"
        needed = {one.fork_id for one in self.newest.values()} | {
            one.fork_id for one in forks if one.owner in self.newest and self.newest[one.owner].state != "ended"
        }
        assert {one.fork_id for one in forks} <= needed, "no fork without a listener"

    def _check_hears(self, listen: Listen, order: contract.ListenOrdered) -> None:
        assert order.fork_id in self.sounding
        assert listen.user in self.users, "nobody hears who was taken out"
        assert self.now < listen.until
        if not self.board.known:
            return
        if listen.follow == "call":
            legs = self.board.calls[listen.call_id]
            assert order.muted == ("" if "talking" in legs.values() else "hold")
        else:
            assert self.board.calls[listen.call_id][listen.agent_id] in ("talking", "held")
            held = self.board.calls[listen.call_id][listen.agent_id] == "held"
            assert order.muted == ("hold" if held else "")
        assert not order.agent_id or order.agent_id in self.allowed


STEPS = ("ask", "ask", "join", "join", "fork", "fork", "answer", "leg", "leg", "wait", "mode", "stop", "left", "heard",
         "restart", "clear", "revoke")  # fmt: skip
Happening = st.tuples(st.sampled_from(STEPS), st.integers(0, 127))


@given(st.lists(Happening, min_size=20, max_size=70))
@settings(max_examples=100, deadline=None)
def test_whatever_happens_nobody_hears_what_they_may_not_and_everything_ends(steps: list[tuple[str, int]]) -> None:
    happens(steps)


def test_long_days_too() -> None:
    """Steps that need each other, which short lists seldom have: two who want to speak into one call, say."""
    for seed in range(300):
        day = random.Random(seed)
        happens([(day.choice(STEPS), day.randint(0, 127)) for _ in range(day.randint(10, 120))])


def happens(steps: Iterable[tuple[str, int]]) -> None:
    """One after the other, with a look after each; then everybody goes home."""
    run = Run()
    run.board.set("c1", "1", "talking")
    run.board.set("c2", "2", "talking")
    for name, pick in steps:
        getattr(run, name)(pick)
        run.check()
    for _ in range(int(POLICY.max_s) + 10):  # nobody asks for anything any more
        run.now += timedelta(seconds=1)
        run.change(lambda sessions: None)
    run.check()
    assert run.open_listens() == []
    assert run.open_forks() == []
    assert all(not msgspec.msgpack.decode(raw, type=Listen).open for raw in run.listens.values())
    _check_audit(run)
    started = {one.data.fork_id for one in run.messages if isinstance(one.data, commands.ListenStart)}
    assert started == {one.data.fork_id for one in run.messages if isinstance(one.data, commands.ListenStop)}
    ids = [one.id for one in run.messages if one.id]
    assert len(ids) == len(set(ids)), "each command has its own id"


def _check_audit(run: Run) -> None:
    for key in run.all:
        kinds = [one.kind for one in run.entries if one.listen_id == key]
        assert kinds[0] == "asked"
        assert kinds.count("asked") == 1
        assert kinds.count("ended") == 1
        assert kinds.count("started") <= 1
        assert kinds.count("told") == kinds.count("started")
        mutes = [kind for kind in kinds if kind in ("muted", "unmuted")]
        assert mutes == ["muted", "unmuted"] * (len(mutes) // 2)
        assert set(kinds[kinds.index("ended") + 1 :]) <= {"heard", "told"}
