"""What everybody says and hears in one frame, whispers and barging supervisors included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.ingest.connectors.simulator.sound.pcm import SILENCE, Sound, mixed
from services.ingest.connectors.simulator.sound.sounds import Sounds
from services.ingest.connectors.simulator.sound.stage import Call, Leg, Stage
from services.ingest.connectors.simulator.sound.talk import Party


class Spoken(NamedTuple):
    """What came in by a fork that speaks, in one frame: to the agent of `leg_id`, and with `to_both` to the customer too."""

    fork_id: str
    leg_id: str
    to_both: bool
    sound: Sound[int]


class Heard(NamedTuple):
    """A party's own voice, and what it hears."""

    own: Sound[int]
    hears: Sound[int]


class Ears:
    """Of everybody on the floor."""

    def __init__(self, stage: Stage, sounds: Sounds) -> None:
        self._stage = stage
        self._sounds = sounds

    def of_agent(self, leg: Leg, tick: int, spoken: Sequence[Spoken] = (), but: str = "") -> Heard:
        """At an agent's phone; what the fork `but` speaks is left out."""
        call = self._stage.calls[leg.call_id]
        heard = self._other_of(call, leg, tick)
        for one in spoken:
            if one.leg_id == leg.id and one.fork_id != but:
                heard = mixed(heard, one.sound)
        return Heard(self._agent_says(call, leg, tick), heard)

    def of_customer(self, call: Call, tick: int, spoken: Sequence[Spoken] = ()) -> Heard:
        """At the customer's phone."""
        heard = self._partner_of(call, tick)
        for one in spoken:
            if one.to_both and one.leg_id == call.partner:
                heard = mixed(heard, one.sound)
        return Heard(self._customer_says(call, tick), heard)

    def _agent_says(self, call: Call, leg: Leg, tick: int) -> Sound[int]:
        if leg.state == "held":
            return self._sounds.agent_alone(tick)
        if leg.state != "talking" or leg.id not in (call.partner, call.colleague):
            return SILENCE
        return self._talk(call, 1 if leg.id == call.colleague else 0, tick)

    def _other_of(self, call: Call, leg: Leg, tick: int) -> Sound[int]:
        """Whom an agent hears; on hold still the customer, as a switch lets whoever taps the agent's line."""
        if leg.state == "dialing":
            return self._sounds.ringback(tick)
        if leg.state == "ringing":
            return SILENCE
        if call.internal:
            return self._talk(call, 0 if leg.id == call.colleague else 1, tick)
        return self._customer_says(call, tick) if leg.id == call.partner else SILENCE

    def _customer_says(self, call: Call, tick: int) -> Sound[int]:
        if call.partner and not call.held:
            return self._talk(call, 1, tick)
        if not call.customer_there:
            return SILENCE
        return self._sounds.customer_alone(self._stage.customer_of(call), tick, tick - call.waits_from)

    def _partner_of(self, call: Call, tick: int) -> Sound[int]:
        """What a customer hears: the agent, music, or that it rings."""
        leg = call.legs.get(call.partner)
        if leg is not None:
            return self._sounds.music(tick) if leg.state == "held" else self._agent_says(call, leg, tick)
        if call.queue:
            return self._sounds.music(tick)
        if call.customer_there and any(one.state == "ringing" for one in call.legs.values()):
            return self._sounds.ringback(tick)
        return SILENCE

    def _talk(self, call: Call, party: Party, tick: int) -> Sound[int]:
        return SILENCE if call.talk is None else call.talk.says(party, max(0, tick - call.talk_from))
