"""What the simulated floor sounds like: two people who take turns, as loud as each other, and never too loud."""

from __future__ import annotations

import lzma
from array import array
from itertools import pairwise
from math import log10
from pathlib import Path

import pytest

from services.ingest.connectors.simulator.people import everybody
from services.ingest.connectors.simulator.sound import voices as recorded
from services.ingest.connectors.simulator.sound.music import music, ringback, room
from services.ingest.connectors.simulator.sound.pcm import (
    FRAME,
    SILENCE,
    Sound,
    frames_of,
    from_ulaw,
    interleaved,
    mixed,
    paced,
    to_wire,
)
from services.ingest.connectors.simulator.sound.sounds import Speaker, Speech, Tones
from services.ingest.connectors.simulator.sound.talk import Conversation, Talk
from services.ingest.connectors.simulator.sound.voices import SUFFIX, Voices, language_of
from tests.audiokit import goertzel, level, split, tone
from tests.simulatedsound import listening_floor
from tools import voices as tool
from tools.voices import BETWEEN, VOICES, companded

PEAK = 32768 * 10 ** (-6 / 20)
RECORDINGS = Path(recorded.__file__).parent / "recordings"
SPOKEN = 200  # a frame with a peak above this is speech, and not the noise of a room


def pcm(frames: list[Sound[int]]) -> bytes:
    return b"".join(to_wire(frame) for frame in frames)


def is_spoken(frame: Sound[int]) -> bool:
    return max(map(abs, frame)) > SPOKEN


def test_ulaw_is_read_as_it_is_written() -> None:
    samples = array("h", range(-32000, 32000, 97))
    for one, again in zip(samples, from_ulaw(companded(samples)), strict=True):
        assert abs(one - again) <= max(8, abs(one) / 28), "G.711 keeps about 38 dB"
    assert from_ulaw(b"\xff\x7f\x00\x80") == array("h", [0, 0, -32124, 32124])


def test_the_recordings_are_those_that_the_tool_makes() -> None:
    assert {path.name.removesuffix(SUFFIX) for path in RECORDINGS.glob(f"*{SUFFIX}")} == {
        voice.name for voice in VOICES
    }
    assert (recorded.BETWEEN, recorded.SUFFIX) == (BETWEEN, tool.SUFFIX)
    for voice in VOICES:
        lines = lzma.decompress((RECORDINGS / f"{voice.name}{SUFFIX}").read_bytes()).split(BETWEEN)
        assert len(lines) == len(voice.lines)
        assert all(0.5 < len(line) / 8000 < 4 for line in lines)
    assert sum(path.stat().st_size for path in RECORDINGS.iterdir()) < 600_000


@pytest.mark.parametrize("name", [voice.name for voice in VOICES])
def test_every_line_is_about_as_loud_and_none_is_cut(name: str) -> None:
    for code in lzma.decompress((RECORDINGS / f"{name}{SUFFIX}").read_bytes()).split(BETWEEN):
        sound = from_ulaw(code)
        assert max(map(abs, sound)) <= PEAK * 1.01
        assert -26 < _decibels(level(to_wire(sound))) < -19


def _decibels(amplitude: float) -> float:
    return 20 * log10(amplitude / 32768)


def test_sound_is_cut_into_frames_mixed_and_put_side_by_side() -> None:
    sound = array("h", range(400))
    frames = frames_of(sound)
    assert [len(frame) for frame in frames] == [FRAME] * 3
    assert b"".join(frame.tobytes() for frame in frames)[:800] == sound.tobytes()
    loud, soft = array("h", [30000] * FRAME), array("h", [-30000] * FRAME)
    assert set(mixed(loud, loud)) == {32767}
    assert set(mixed(soft, soft)) == {-32768}
    assert set(mixed(loud, soft)) == {0}
    assert mixed(loud, SILENCE) is loud
    assert split(to_wire(interleaved(loud, soft))) == (to_wire(loud), to_wire(soft))


@pytest.mark.parametrize("pace", [0.95, 1.0, 1.05])
def test_a_pace_moves_the_pitch_by_as_much(pace: float) -> None:
    moved = to_wire(paced(array("h", tone(1000, 6000, 500)), pace))
    assert goertzel(moved, 8000, 1000 * round(pace * 256) / 256) == pytest.approx(6000, rel=0.1)


# ---------------------------------------------------------------- people


def conversation(key: str, number: str = "+861000001234") -> Talk:
    person = everybody()[0]
    return Speech().talk(key, Speaker(agent_id=person.agent_id, name=person.name), Speaker(number=number))


@pytest.mark.parametrize("number", ["+861000001234", "+447700900123"])
def test_two_people_take_turns(number: str) -> None:
    talk = conversation("leg-1", number)
    spoken = [(is_spoken(talk.says(0, n)), is_spoken(talk.says(1, n))) for n in range(4000)]
    agent, customer = (sum(one[party] for one in spoken) / len(spoken) for party in (0, 1))
    assert 0.2 < agent < 0.6
    assert 0.15 < customer < 0.6
    assert sum(both for both in (one == (True, True) for one in spoken)) < 0.03 * len(spoken)
    changes = [party for party, before in _turns(spoken) if party != before]
    assert len(changes) > 12, "they answer each other"
    assert spoken.index((True, False)) < spoken.index((False, True)), "the agent greets"


def _turns(spoken: list[tuple[bool, bool]]) -> list[tuple[int, int]]:
    who = [0 if one == (True, False) else 1 for one in spoken if one in ((True, False), (False, True))]
    return list(pairwise(who))


@pytest.mark.parametrize("number", ["+861000001234", "+447700900123"])
def test_both_are_as_loud(number: str) -> None:
    talk = conversation("leg-2", number)
    frames = [(talk.says(0, n), talk.says(1, n)) for n in range(3000)]
    agent, customer = (level(pcm([one[party] for one in frames if is_spoken(one[party])])) for party in (0, 1))
    assert agent == pytest.approx(customer, rel=0.25)


def test_every_call_is_another_conversation_and_the_same_one_for_all_who_hear_it() -> None:
    first, again, other = conversation("leg-1"), conversation("leg-1"), conversation("leg-2")
    same = [
        (
            first.says(0, n) == again.says(0, n),
            first.says(1, n) == again.says(1, n),
            first.says(0, n) == other.says(0, n),
        )
        for n in range(2000)
    ]
    assert all(one[:2] == (True, True) for one in same)
    assert not all(one[2] for one in same)


def test_joining_late_hears_what_the_others_hear() -> None:
    early, late = conversation("leg-1"), conversation("leg-1")
    for n in range(3000):
        early.says(0, n)
    assert [early.says(1, n) for n in range(3000, 3400)] == [late.says(1, n) for n in range(3000, 3400)]


def test_a_long_conversation_is_not_kept() -> None:
    talk = conversation("leg-1")
    assert isinstance(talk, Conversation)
    for n in range(0, 50_000, 10):
        talk.says(0, n)
        assert len(talk._turns) < 20


def test_agents_have_voices_of_their_own() -> None:
    voices = Voices()
    people = [(person.agent_id, person.name) for person in everybody()]
    chosen = [voices.agent(*one, "zh") for one in people]
    assert chosen == [voices.agent(*one, "zh") for one in people], "always the same"
    assert len({id(voice) for voice in chosen}) == 6
    assert voices.agent("1", "王芳", "zh") is not voices.agent("1", "李伟", "zh")
    assert voices.agent("1", "李伟 2", "zh") is voices.agent("1", "李伟", "zh")


def test_people_speak_the_language_of_their_number() -> None:
    assert [language_of(number) for number in ("+8610000", "+447700", "+12025", "1001", "")] == [
        *("zh", "en", "en", "zh", "zh"),
    ]


def test_on_hold_a_customer_is_silent_and_now_and_then_not() -> None:
    speech, customer = Speech(), Speaker(number="+861000001234")
    spoken = [is_spoken(speech.customer_alone(customer, n, n)) for n in range(2000)]
    assert not any(spoken[:300])
    assert 0.02 < sum(spoken) / len(spoken) < 0.15
    assert any(is_spoken(Tones().customer_alone(customer, n, n)) for n in range(5))


# ---------------------------------------------------------------- what telephones play


def test_music_and_ringing_are_heard_and_not_too_loud() -> None:
    melody = [music(n) for n in range(18 * 40)]
    assert -32 < _decibels(level(pcm(melody))) < -20
    assert max(max(map(abs, frame)) for frame in melody) < PEAK
    for number in range(18, len(melody), 18):
        if number // 18 % 32 == 31:
            continue  # the last note rings on
        assert max(abs(melody[number][0]), abs(melody[number - 1][-1])) < 200, "no click where a note ends"
    rings = [n for n in range(500) if is_spoken(ringback(n))]
    assert rings == [*range(50), *range(250, 300)]
    assert not any(is_spoken(room(n)) for n in range(100))


async def test_speech_goes_out_on_both_sides() -> None:
    async with listening_floor(audio="speech") as floor:
        heard = await floor.listen(floor.talking()[0], side="customer")
        left, right = split(await floor.heard(heard, 400))
    assert -40 < _decibels(level(left)) < -15
    assert -40 < _decibels(level(right)) < -15
    assert left != right
