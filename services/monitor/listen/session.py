"""Listens and forks, what becomes of them, and what the relay and the switch are told. Pure: no await, clock, bus or database.

One `Sessions` is one transaction: it gets the open listens and forks as they stand, is told what happened, and gives what
changed, the audit's entries and the messages. It may be asked with the same things twice: what is done already changes nothing.

    sessions = Sessions(now, listens, forks, world)
    sessions.reported(report)           # any of what happened
    sessions.review()                   # follow calls and agents, and what time alone brings
    outcome = sessions.finish()
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from services.monitor.listen import contract
from services.monitor.listen.ledger import ANSWER_S, LEASE_S, SETTLE_S, SOUND_S, Ledger
from services.monitor.listen.model import REASONS, Counted, Fork, Listen
from services.monitor.listen.policy import longest
from services.monitor.listen.spots import Spot, in_call, of_agent
from shared import commands
from shared.commands import Mode
from shared.envelope import Data
from shared.errors import FloorwatchError
from shared.events import CommandAnswered

GRACE_S: Final = 15.0  # in which a page whose connection was lost comes back
JOIN_S: Final = 20.0  # in which the page comes for the first time
RENEW_S: Final = 15.0  # before the end of that it is told anew
BACKOFF_S: Final = (0.5, 1.0, 2.0, 4.0)  # before a fork that was lost is ordered again; after these it is given up
BEHIND: Final = timedelta(seconds=15)  # further back no replica is that acts; it is the switch's clock that was set
STEADY_S: Final = 10.0  # a fork that was up for so long starts the count anew


class SomebodySpeaks(FloorwatchError):
    """Only one can speak into a call at a time."""

    def __init__(self, user: str, name: str) -> None:
        super().__init__(f"{name} ({user}) speaks into this call now; one at a time")
        self.user = user
        self.name = name


class NobodyThere(FloorwatchError):
    """There is no phone to speak to now."""


class Over(FloorwatchError):
    """The listen has ended."""


class Sessions(Ledger):
    """What happens to the open listens and forks of one moment."""

    # ------------------------------------------------------------ what people want

    def ask(self, listen: Listen) -> None:
        """A new listen. Raises SomebodySpeaks, NobodyThere for one that is to speak."""
        self.listens[listen.listen_id] = listen
        mode, listen.mode = listen.mode, "listen"
        listen.alone_since = self.now
        listen.leased_until = min(listen.until, self._in(LEASE_S))
        self._note(listen, "asked", mode=mode, follow=listen.follow, comment=listen.comment)
        self._follow(listen)
        if mode != "listen" and listen.ended_at is None:
            self.set_mode(listen, mode)

    def set_mode(self, listen: Listen, mode: Mode) -> None:
        """Switch to `mode`. Raises SomebodySpeaks, NobodyThere, Over."""
        if listen.ended_at is not None:
            raise Over(f"listen {listen.listen_id} is over: {REASONS[listen.reason][0]}")
        if mode == listen.mode:
            return
        own = self._speaking_fork(listen)
        if mode != "listen":
            spot = self._spot(listen) if self.world.board.knows(listen.site) and listen.fork_id else None
            here = (listen.call_id, listen.agent_id)
            if spot is None or not spot.agent_id or (spot.call_id, spot.agent_id) != here:
                raise NobodyThere("nobody is on the phone to speak to; try again when the agent talks")
            verdict = self.world.may(listen, spot.call_id, spot.agent_id, mode)  # it may have been asked of another
            if isinstance(verdict, str):
                raise NobodyThere("the call has just gone to somebody to whom you may not speak so")
            if own is not None and own.leg_id not in spot.lines:
                self._end_fork(own, "agent_left")
                own = None
            own = own or self._order_speaking(listen, spot, mode)
        self._change_mode(listen, mode, own, by=listen.user)

    def end(self, listen: Listen, reason: str, *, detail: str = "", by: str = "") -> None:
        """The listen is over. `by`: the user who ended it, "" when it ended by itself."""
        if listen.ended_at is not None:
            return
        own = self._speaking_fork(listen)
        if own is not None:
            self._end_fork(own, reason)
        listen.mode, listen.speak_fork_id = "listen", ""
        self._detach(listen)
        before = listen.state
        listen.state, listen.reason, listen.detail = "ended", reason, detail
        listen.ended_at = self.now
        if not listen.connected:  # the relay has told how much was heard
            self._write_heard(listen, all_of_it=True)
        seconds = round((self.now - listen.live_at).total_seconds(), 3) if listen.live_at else 0.0
        self._note(listen, "ended", by=by, reason=reason, detail=detail, was=before, live_s=seconds)
        if listen.live_at is not None and listen.tell_agent == "after":
            self._tell(listen)
        listen.open = bool(listen.counted)

    # ------------------------------------------------------------ what happened

    def answered(self, said: CommandAnswered) -> None:
        """A connector said what it did with a command."""
        fork = self.forks.get(said.fork_id)
        if fork is None or fork.state == "ended":
            return
        words = said.reason or said.outcome
        if said.action == "listen_mode":
            if said.command_id == fork.asked and said.outcome != "taken":  # not that of a change before it
                self._mode_answered(fork, said.outcome == "done", words)
        elif said.action == "listen_start":
            if said.outcome == "taken" and fork.state == "ordered":
                fork.state = "taken"
            elif said.outcome == "done" and fork.state in ("ordered", "taken"):
                fork.state = "done"
            elif said.outcome == "failed":
                self._fork_lost(fork, "failed", words)
            elif said.outcome in ("refused", "expired"):
                self._fork_lost(fork, "refused" if said.outcome == "refused" else "no_answer", words)

    def _mode_answered(self, fork: Fork, done: bool, words: str) -> None:
        fork.asked, fork.asked_at = "", None
        owner = self.listens.get(fork.owner)
        if not done and owner is not None:
            self._fall_back(owner, "mode_failed", words)

    def reported(self, data: Data) -> None:
        """The relay said something."""
        match data:
            case contract.ForkUp():
                self._fork_up(data)
            case contract.ForkDown():
                fork = self.forks.get(data.fork_id)
                if fork is not None:
                    self._fork_lost(fork, data.how, data.detail)
            case contract.ListenerJoined():
                self._joined(data)
            case contract.ListenerHeard():
                self._heard(data)
            case contract.ListenerLeft():
                self._left(data)
            case contract.RelayStarted():
                self._relay_started(data)

    # ------------------------------------------------------------ what is so now

    def review(self) -> None:
        """Follow calls and agents, and do what time alone brings."""
        forks = -1
        while forks != len(self.forks):  # a fork that one ordered is there for the others, too
            forks = len(self.forks)
            for listen in list(self.listens.values()):
                if listen.ended_at is None:
                    self._review(listen)
        for listen in self.listens.values():
            if listen.open:
                self._write_heard(listen)
                listen.open = listen.ended_at is None or bool(listen.counted)
        for fork in self._open_forks():
            self._review_fork(fork)
        for fork in self._open_forks():
            if not self._is_needed(fork):
                self._end_fork(fork, "no_listeners")

    def _review_fork(self, fork: Fork) -> None:
        """Give it up when nobody answered for it, or no sound came, in time."""
        waited = (self.now - fork.ordered_at).total_seconds()
        if fork.state == "ordered" and waited >= ANSWER_S:
            self._fork_lost(fork, "no_answer", f"no connector took the command within {ANSWER_S:g} s")
        elif fork.state in ("taken", "done") and waited >= SOUND_S:
            self._fork_lost(fork, "never_came", f"no sound within {SOUND_S:g} s")
        elif fork.asked_at is not None and fork.up_at is not None:
            waited = (self.now - max(fork.asked_at, fork.up_at)).total_seconds()
            if waited >= ANSWER_S:
                self._fork_lost(fork, "no_answer", f"no connector changed the mode within {ANSWER_S:g} s")

    # ------------------------------------------------------------ one listen

    def _review(self, listen: Listen) -> None:
        if self.now >= listen.leased_until < listen.until:
            self.end(listen, "lapsed")
            return
        if self.now >= listen.until:
            self.end(listen, self._why_over(listen))
            return
        if not listen.connected and listen.alone_since is not None:
            alone = (self.now - listen.alone_since).total_seconds()
            if alone >= (GRACE_S if listen.ever_connected else JOIN_S):
                self.end(listen, "connection_lost" if listen.ever_connected else "not_joined")
                return
        self._follow(listen)
        if listen.ended_at is None and listen.leased_until < min(listen.until, self._in(LEASE_S - RENEW_S)):
            listen.leased_until = min(listen.until, self._in(LEASE_S))
        listen.leased_until = min(listen.leased_until, listen.until)

    def _why_over(self, listen: Listen) -> str:
        """Which of the ends that `until` is the first of has come."""
        if listen.token_expires is not None and self.now >= listen.token_expires:
            return "signed_out"
        latest = longest(self.world.policy(listen.site), listen.started_at)
        return "max_length" if listen.until >= latest else "hours"

    def _follow(self, listen: Listen) -> None:
        """Hear what there is to hear now of what it follows, as far as that is allowed now.

        Not by a board that is behind the one by which another replica changed it: the hold that it does not know yet would be
        heard, the call that has not begun there be over.
        """
        board, before = self.world.board, _followed(listen)
        now = board.time(listen.site) if board.knows(listen.site) else None
        if now is not None and listen.seen_at is not None and timedelta(0) < listen.seen_at - now < BEHIND:
            return
        self._follow_board(listen)
        if now is not None and (listen.seen_at is None or _followed(listen) != before):
            listen.seen_at = now

    def _follow_board(self, listen: Listen) -> None:
        board = self.world.board
        spot: Spot | None = None
        if known := board.knows(listen.site):
            if listen.follow == "call" and board.call(listen.site, listen.call_id) is None:
                self.end(listen, "call_ended")
                return
            spot = self._spot(listen)
            agent = board.agent(listen.site, listen.agent_id) if listen.follow == "agent" else None
            if listen.follow == "agent" and spot is None and (agent is None or agent.state == "offline"):
                self.end(listen, "agent_offline")
                return
        call_id, agent_id = (spot.call_id, spot.agent_id) if spot else (listen.call_id, listen.agent_id)
        verdict = self.world.may(listen, call_id, agent_id, listen.mode)
        if isinstance(verdict, str):
            reason, _, code = verdict.partition(":")
            self.end(listen, reason, detail=code)
            return
        latest = longest(self.world.policy(listen.site), listen.started_at)
        listen.until = min(one for one in (latest, verdict.until, listen.token_expires) if one is not None)
        if not known:
            return
        if spot is None:
            self._hear_nobody(listen)
        else:
            self._hear(listen, spot)

    def _hear(self, listen: Listen, spot: Spot) -> None:
        fork = self._open_fork(listen.site, spot.target)
        self._move(listen, spot)
        if listen.ever_connected and not listen.connected:
            self._detach(listen)
            self._wait(listen, "connection_lost")
            return
        if fork is None and listen.retry_at is not None and self.now < listen.retry_at:
            self._detach(listen)
            self._wait(listen, "retrying" if listen.reason != "relay_restarted" else listen.reason)
            return
        fork = fork or self._order(listen, spot, spot.target)
        if listen.fork_id != fork.fork_id:
            self._detach(listen)
            listen.fork_id, listen.retry_at = fork.fork_id, None
            listen.counted.setdefault(fork.fork_id, Counted(spot.call_id, spot.agent_id)).due = None
            self._note(listen, "fork", fork_id=fork.fork_id, side=fork.side)
        self._mute(listen, spot.held)
        self._show(listen, fork)

    def _hear_nobody(self, listen: Listen) -> None:
        """Between two agents the customer's channel goes on; an agent's ends."""
        fork = self.forks.get(listen.fork_id)
        if listen.mode != "listen":
            self._fall_back(listen, "transferred" if listen.follow == "call" else "agent_left")
        if listen.follow == "call" and fork is not None and fork.state != "ended" and fork.side == "customer":
            self._mute(listen, held=True)
            self._show(listen, fork)
            return
        self._detach(listen)
        if listen.follow == "agent":
            listen.call_id = ""
        if listen.ever_connected and not listen.connected:
            self._wait(listen, "connection_lost")
        else:
            self._wait(listen, "between_calls" if listen.follow == "agent" else "not_answered")

    def _move(self, listen: Listen, spot: Spot) -> None:
        """Whom it hears may be another than before."""
        moved = (listen.call_id, listen.agent_id) != (spot.call_id, spot.agent_id)
        own = self._speaking_fork(listen)
        if own is not None and (own.leg_id not in spot.lines or own.call_id != spot.call_id):
            self._end_fork(own, "agent_left")
            self._fall_back(listen, "transferred" if moved else "agent_left")
        if not moved:
            return
        card = self.world.board.agent(listen.site, spot.agent_id)
        listen.call_id, listen.agent_id = spot.call_id, spot.agent_id
        listen.agent_name = card.name if card is not None else ""
        if listen.live_at is not None or listen.fork_id:
            self._note(listen, "moved")
        counted = listen.counted.get(listen.fork_id)
        if counted is not None:
            counted.call_id, counted.agent_id = spot.call_id, spot.agent_id

    def _show(self, listen: Listen, fork: Fork) -> None:
        """What state it is in, with this fork."""
        if fork.state != "up":
            if listen.state == "waiting" and listen.reason not in ("retrying", "relay_restarted"):
                listen.reason = ""
            listen.state = "starting"
            return
        if listen.state != "live":
            listen.state, listen.reason, listen.detail = "live", "", ""
        if listen.live_at is None and listen.connected:
            listen.live_at = self.now
            self._note(listen, "started", fork_id=fork.fork_id)
            if listen.tell_agent == "during":
                self._tell(listen)

    def _wait(self, listen: Listen, reason: str) -> None:
        if (listen.state, listen.reason) != ("waiting", reason):
            listen.state, listen.reason, listen.detail = "waiting", reason, ""

    def _mute(self, listen: Listen, held: bool) -> None:
        wanted = "hold" if held and self.world.policy(listen.site).mute_on_hold else ""
        if wanted != listen.muted:
            listen.muted = wanted
            self._note(listen, "muted" if wanted else "unmuted", reason=wanted)

    def _detach(self, listen: Listen) -> None:
        """It no longer hears the fork that it heard."""
        counted = listen.counted.get(listen.fork_id)
        if counted is not None:
            counted.due = self._in(SETTLE_S)
        listen.fork_id = ""
        if listen.mode != "listen":  # who does not hear does not speak
            self._fall_back(listen, "mode_failed", "the sound was lost")
        if listen.muted:
            listen.muted = ""
            self._note(listen, "unmuted", reason="nothing is heard")

    # ------------------------------------------------------------ speaking

    def _change_mode(self, listen: Listen, mode: Mode, own: Fork | None, *, by: str = "", reason: str = "") -> None:
        before, listen.mode = listen.mode, mode
        listen.speak_fork_id = own.fork_id if own is not None and mode != "listen" else ""
        if not reason and listen.state == "live":
            listen.reason = listen.detail = ""
        if own is not None and own.mode != mode:
            own.mode = mode
            # until the switch did so: a whisper must not be left where the customer hears it
            own.asked, own.asked_at = f"{own.fork_id}:mode:{listen.version + 1}", self.now
            data = commands.ListenMode(fork_id=own.fork_id, mode=mode)
            self._command(listen.site, own.asked, data, by)
        self._note(listen, "mode", by=by, reason=reason, was=before)

    def _fall_back(self, listen: Listen, reason: str, words: str = "") -> None:
        """It only listens from now on. The leg that it spoke through is ended: nobody is left speaking by mistake."""
        own = self._speaking_fork(listen)
        if own is not None:
            self._end_fork(own, reason)
        if listen.mode == "listen":
            return
        self._change_mode(listen, "listen", None, reason=reason)
        listen.reason, listen.detail = reason, words

    def _order_speaking(self, listen: Listen, spot: Spot, mode: Mode) -> Fork:
        target = f"speak:{spot.call_id}"
        other = self._open_fork(listen.site, target)
        if other is not None:
            speaker = self.listens.get(other.owner)
            if speaker is not None and speaker.mode != "listen" and speaker.ended_at is None:
                raise SomebodySpeaks(speaker.user, speaker.user_name)
            self._end_fork(other, "another_speaks")
        return self._order(listen, spot, target, speaks=True, mode=mode)

    # ------------------------------------------------------------ forks

    def _fork_up(self, data: contract.ForkUp) -> None:
        fork = self.forks.get(data.fork_id)
        if fork is None or fork.state in ("up", "ended"):
            return
        fork.state, fork.up_at, fork.relay, fork.run = "up", self.now, data.relay, data.run
        for listen in self._hearers(fork):
            self._show(listen, fork)

    def _fork_lost(self, fork: Fork, how: str, detail: str) -> None:
        """It is over, or will not come."""
        if fork.state == "ended":
            return
        steady = fork.up_at is not None and (self.now - fork.up_at).total_seconds() >= STEADY_S
        hearers = self._hearers(fork)
        self._end_fork(fork, how, detail)
        owner = self.listens.get(fork.owner)
        if owner is not None and owner.ended_at is None and owner.mode != "listen":
            unanswered = fork.up_at is None or how == "no_answer"
            self._fall_back(owner, "mode_failed" if unanswered else "agent_left", detail)
        for listen in hearers:
            self._detach(listen)
            if how in ("refused", "no_answer", "bad_audio"):
                self.end(listen, how, detail=detail)
                continue
            failures = 1 if steady else listen.failures + 1
            listen.failures = failures
            if failures > len(BACKOFF_S):
                self.end(listen, "fork_failed", detail=detail or how)
                continue
            listen.retry_at = self._in(BACKOFF_S[failures - 1])
            self._wait(listen, "retrying")
            listen.detail = detail

    # ------------------------------------------------------------ the listener's connection

    def _joined(self, data: contract.ListenerJoined) -> None:
        listen = self.listens.get(data.listen_id)
        if listen is None or listen.ended_at is not None:
            return
        listen.connected = listen.ever_connected = True
        listen.alone_since, listen.relay, listen.run = None, data.relay, data.run
        listen.retry_at = None
        fork = self.forks.get(listen.fork_id)
        if fork is not None:
            self._show(listen, fork)

    def _left(self, data: contract.ListenerLeft) -> None:
        listen = self.listens.get(data.listen_id)
        if listen is None:
            return
        if listen.ended_at is not None:
            listen.connected = False
            self._write_heard(listen, all_of_it=True)
            listen.open = bool(listen.counted)
            return
        listen.connected, listen.alone_since = False, self.now
        if data.how == "closed":
            self.end(listen, "closed", by=listen.user)
            return
        self._lost_page(listen)

    def _lost_page(self, listen: Listen) -> None:
        """Its page may come back for a while; nobody speaks meanwhile, and the fork is not kept for it."""
        listen.connected, listen.alone_since = False, listen.alone_since or self.now
        self._fall_back(listen, "connection_lost")
        self._detach(listen)
        self._write_heard(listen, all_of_it=True)
        self._wait(listen, "connection_lost")

    def _relay_started(self, data: contract.RelayStarted) -> None:
        """What an earlier run of this relay had is gone."""
        for fork in self._open_forks():
            if (fork.relay == data.relay and fork.run != data.run) or (not fork.relay and fork.state != "ordered"):
                hearers = self._hearers(fork)
                self._end_fork(fork, "relay_restarted")
                owner = self.listens.get(fork.owner)
                if owner is not None and owner.mode != "listen":
                    self._fall_back(owner, "mode_failed", "the relay began anew")
                for listen in hearers:
                    self._detach(listen)
                    self._wait(listen, "relay_restarted")
        for listen in self.listens.values():
            if listen.connected and listen.relay == data.relay and listen.run != data.run:
                if listen.ended_at is None:
                    listen.alone_since = None
                    self._lost_page(listen)
                else:
                    listen.connected = False

    # ------------------------------------------------------------ what is written and sent

    def _spot(self, listen: Listen) -> Spot | None:
        board = self.world.board
        if listen.follow == "agent":
            return of_agent(listen.agent_id, board.legs(listen.site, listen.agent_id))
        call = board.call(listen.site, listen.call_id)
        return None if call is None else in_call(call)


def _followed(listen: Listen) -> tuple[Any, ...]:
    """What of it the board decides."""
    names = ("state", "reason", "mode", "fork_id", "speak_fork_id", "call_id", "agent_id", "muted")
    return tuple(getattr(listen, name) for name in names)
