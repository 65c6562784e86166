"""All copies of calls' sound that leave the switch: begun and ended by commands, sent 20 ms after 20 ms by one task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.ingest.connectors.common.commands import CommandFailed, CommandRefused
from services.ingest.connectors.common.within import within
from services.ingest.connectors.simulator.sound.audiosocket import AudioConnection, address_of, audio_frame
from services.ingest.connectors.simulator.sound.ears import Ears, Spoken
from services.ingest.connectors.simulator.sound.pcm import FRAME_S, interleaved, mixed, to_wire
from services.ingest.connectors.simulator.sound.stage import Leg, Stage
from shared.clock import Clock
from shared.commands import ListenMode, ListenStart, ListenStop, Mode

MOST: Final = 500  # forks at a time
CONNECT_S: Final = 2.0
LATEST: Final = 10  # frames that are sent late, together; after a longer stop those before are left out


@dataclass(eq=False, slots=True)
class Fork:
    """One copy. `leg_id` is the tapped leg of an agent, "" when the customer's channel is tapped."""

    id: str
    call_id: str
    leg_id: str
    agent_id: str
    split: bool
    speaks: bool
    mode: Mode
    connection: AudioConnection
    flows: bool = False
    why: str = ""  # it ended

    @property
    def listen_id(self) -> str:
        """The switch's name for the listening leg."""
        return f"listen-{self.id}"


class Forks:
    """`began` is the floor's opening by the monotonic clock: ticks are counted from then on. `ended` is called for each fork
    that `start` returned, once, when it is over."""

    def __init__(self, clock: Clock, began: float, stage: Stage, ears: Ears, ended: Callable[[Fork], None]) -> None:
        self._clock = clock
        self._began = began
        self._stage = stage
        self._ears = ears
        self._ended = ended
        self._open: dict[str, Fork] = {}
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def open(self) -> list[Fork]:
        """Those that are there."""
        return list(self._open.values())

    # ------------------------------------------------------------ commands

    async def start(self, order: ListenStart) -> Fork:
        """Connect to where the sound shall go. It flows once `flow` is called, which is for after it was told of.

        Raises CommandRefused for what cannot be, CommandFailed for what is not there now.
        """
        host, port = _checked(order)
        if order.fork_id in self._open:
            raise CommandFailed("this fork is there already")
        if len(self._open) >= MOST:
            raise CommandFailed(f"{MOST} calls are listened to already, which is all that the simulated switch can do")
        self._tapped(order)
        connection = await self._connected(order, host, port)
        try:
            leg = self._tapped(order)
        except CommandFailed:
            connection.close()  # it ended while we connected: the connection closes without a sound
            raise
        agent_id = leg.agent_id if leg else self._agent_in(order.call_id)
        leg_id = leg.id if leg else ""
        split = order.audio == "split"
        fork = Fork(order.fork_id, order.call_id, leg_id, agent_id, split, order.speaks, order.mode, connection)
        self._open[fork.id] = fork
        connection.over = lambda why: self._is_over(fork, why)
        if connection.is_over:
            self._end(fork, "the other end closed at once")
        connection.listen(fork.mode != "listen")
        self._some.set()
        return fork

    def flow(self, fork: Fork) -> None:
        """Let the sound flow, from the next frame on."""
        fork.flows = True

    def switch(self, order: ListenMode) -> None:
        """Whom a fork speaks to from now on. Raises CommandFailed, CommandRefused."""
        fork = self._open.get(order.fork_id)
        if fork is None:
            raise CommandFailed("this fork is over")
        if not fork.speaks and order.mode != "listen":
            raise CommandRefused("this fork can only listen")
        fork.mode = order.mode
        fork.connection.listen(fork.mode != "listen")

    def stop(self, order: ListenStop) -> None:
        """End a fork; one that is over stays so."""
        fork = self._open.get(order.fork_id)
        if fork is not None:
            self._end(fork, "it was told to")

    def stop_all(self) -> list[Fork]:
        """End every fork, because the switch does; those that were there, without telling `ended`."""
        found, self._open = list(self._open.values()), {}
        for fork in found:
            fork.connection.close()
        return found

    def end_gone(self) -> None:
        """End what taps a leg or call that is over."""
        for fork in list(self._open.values()):
            if fork.leg_id and fork.leg_id not in self._stage.legs:
                self._end(fork, "the agent's part in the call is over")
            elif not fork.leg_id and fork.call_id not in self._stage.calls:
                self._end(fork, "the call is over")

    # ------------------------------------------------------------ what they need

    def _tapped(self, order: ListenStart) -> Leg | None:
        """The agent's leg to tap; None for the customer's channel. Raises CommandFailed when it is not there."""
        call = self._stage.calls.get(order.call_id)
        if call is None:
            raise CommandFailed("the call is over, or there never was one of this id")
        if order.side == "customer":
            if call.internal:
                raise CommandFailed("colleagues talk to each other here: there is no customer to listen to")
            return None
        if order.leg_id:
            leg = call.legs.get(order.leg_id)
        else:
            leg = next((one for one in call.legs.values() if one.agent_id == order.agent_id), None)
        if leg is None or order.agent_id not in ("", leg.agent_id):
            raise CommandFailed("the agent is no longer in this call")
        return leg

    def _agent_in(self, call_id: str) -> str:
        call = self._stage.calls[call_id]
        leg = call.legs.get(call.partner)
        return leg.agent_id if leg else ""

    async def _connected(self, order: ListenStart, host: str, port: int) -> AudioConnection:
        connection = AudioConnection(order.fork_id)
        loop = asyncio.get_running_loop()
        try:
            await within(self._clock, CONNECT_S, loop.create_connection(lambda: connection, host, port))
        except (OSError, TimeoutError) as exc:
            raise CommandFailed(f"nobody takes the sound at {order.media}: {exc}") from None
        return connection

    def _is_over(self, fork: Fork, why: str) -> None:
        if self._open.get(fork.id) is fork:
            self._end(fork, why)

    def _end(self, fork: Fork, why: str) -> None:
        del self._open[fork.id]
        fork.why = why
        fork.connection.close()
        self._ended(fork)

    # ------------------------------------------------------------ sound

    async def run(self) -> None:
        """Send what everybody hears, by the wall clock, for ever; asleep while there are no forks."""
        while True:
            self._some.clear()
            if not self._open:
                await self._some.wait()
            tick = self._tick() + 1
            while self._open:
                await self._clock.sleep(self._began + tick * FRAME_S - self._clock.monotonic())
                now = self._tick()
                for due in range(max(tick, now - LATEST + 1), now + 1):
                    self._send(due)
                tick = max(tick, now + 1)

    def _tick(self) -> int:
        """The frame that is due now; a hair early counts as there, or a clock that rounds would be asked twice."""
        return int((self._clock.monotonic() - self._began) / FRAME_S + 1e-6)

    def _send(self, tick: int) -> None:
        forks = [fork for fork in self._open.values() if fork.flows]
        spoken = [
            Spoken(fork.id, fork.leg_id, fork.mode == "barge", sound)
            for fork in forks
            if fork.mode != "listen" and (sound := fork.connection.spoken()) is not None
        ]
        for fork in forks:
            if fork.leg_id:
                leg = self._stage.legs[fork.leg_id]
                heard = self._ears.of_agent(leg, tick, spoken, but=fork.id)
            else:
                heard = self._ears.of_customer(self._stage.calls[fork.call_id], tick, spoken)
            sound = interleaved(*heard) if fork.split else mixed(*heard)
            fork.connection.send(audio_frame(to_wire(sound)))


def _checked(order: ListenStart) -> tuple[str, int]:
    """Where the sound goes. Raises CommandRefused for an order that nobody could carry out."""
    try:
        UUID(order.fork_id)
    except ValueError:
        raise CommandRefused(f"fork_id {order.fork_id!r} is not a UUID") from None
    if order.speaks and (order.side != "agent" or order.audio != "mixed"):
        raise CommandRefused("a fork that speaks taps the agent's channel, and is mixed")
    if order.mode != "listen" and not order.speaks:
        raise CommandRefused("this fork can only listen")
    try:
        return address_of(order.media)
    except ValueError as exc:
        raise CommandRefused(str(exc)) from None
