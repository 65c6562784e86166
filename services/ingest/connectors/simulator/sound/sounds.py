"""Everything that can be heard on the floor, in one of two ways: as people would sound, or as tones that tests can tell apart."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, Protocol

from services.ingest.connectors.simulator.sound import music
from services.ingest.connectors.simulator.sound.pcm import Sound
from services.ingest.connectors.simulator.sound.talk import Conversation, Party, Talk
from services.ingest.connectors.simulator.sound.voices import Voices, language_of

Kind = Literal["speech", "tones"]

TONE_AMPLITUDE: Final = 6000
AGENT_HZ: Final = 1000
COLLEAGUE_HZ: Final = 800  # whom an agent consults
CUSTOMER_HZ: Final = 440
MUSIC_HZ: Final = 660
RINGBACK_HZ: Final = 550


class Speaker(NamedTuple):
    """An agent, or with `agent_id` "" whoever called from or was called at `number`."""

    number: str = ""
    agent_id: str = ""
    name: str = ""


class Sounds(Protocol):
    """What is heard. A tick is a frame since the floor opened."""

    def talk(self, key: str, first: Speaker, second: Speaker) -> Talk:
        """What two people say to each other; the first is an agent."""
        ...

    def agent_alone(self, tick: int) -> Sound[int]:
        """An agent's microphone while the customer is on hold."""
        ...

    def customer_alone(self, customer: Speaker, tick: int, waits: int) -> Sound[int]:
        """Somebody on hold or in a queue, since `waits` frames."""
        ...

    def music(self, tick: int) -> Sound[int]: ...

    def ringback(self, tick: int) -> Sound[int]: ...


class Speech:
    """People: in the customer's language, each with a voice of their own."""

    def __init__(self) -> None:
        self._voices = Voices()

    def talk(self, key: str, first: Speaker, second: Speaker) -> Talk:
        voices, language = self._voices, language_of(second.number)
        one = voices.agent(first.agent_id, first.name, language)
        if second.agent_id:
            other = voices.agent(second.agent_id, second.name, language)
            return Conversation(key, one, other, greets=False)
        return Conversation(key, one, voices.customer(second.number, language))

    def agent_alone(self, tick: int) -> Sound[int]:
        return music.room(tick)

    def customer_alone(self, customer: Speaker, tick: int, waits: int) -> Sound[int]:
        """They wait in silence, mostly: a remark after six seconds and then every twenty."""
        line = self._voices.customer(customer.number, language_of(customer.number)).aside
        at = (waits - 300) % 1000
        if line is None or waits < 300 or at >= line.length:
            return music.room(tick)
        return line.frames[at]

    def music(self, tick: int) -> Sound[int]:
        return music.music(tick)

    def ringback(self, tick: int) -> Sound[int]:
        return music.ringback(tick)


class Tones:
    """Each party one steady tone, and each of what the switch plays another."""

    def talk(self, key: str, first: Speaker, second: Speaker) -> Talk:
        return _Hum(AGENT_HZ, COLLEAGUE_HZ if second.agent_id else CUSTOMER_HZ)

    def agent_alone(self, tick: int) -> Sound[int]:
        return music.tone_frame(AGENT_HZ, TONE_AMPLITUDE, tick)

    def customer_alone(self, customer: Speaker, tick: int, waits: int) -> Sound[int]:
        return music.tone_frame(CUSTOMER_HZ, TONE_AMPLITUDE, tick)

    def music(self, tick: int) -> Sound[int]:
        return music.tone_frame(MUSIC_HZ, TONE_AMPLITUDE, tick)

    def ringback(self, tick: int) -> Sound[int]:
        return music.tone_frame(RINGBACK_HZ, TONE_AMPLITUDE, tick)


class _Hum:
    def __init__(self, *hz: int) -> None:
        self._hz = hz

    def says(self, party: Party, position: int) -> Sound[int]:
        return music.tone_frame(self._hz[party], TONE_AMPLITUDE, position)


def sounds_of(kind: Kind) -> Sounds:
    """What `SIMULATOR_AUDIO` names."""
    return Tones() if kind == "tones" else Speech()
