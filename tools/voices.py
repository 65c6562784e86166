"""Make the recordings of the simulated floor anew: `make voices`. Needs flite, espeak-ng and sox; running Floorwatch does not.

Each voice becomes one file, G.711 µ-law, 8 kHz, mono: its lines in order, parted by 25 ms of
`BETWEEN`, which plays as silence and occurs in no speech.
"""

from __future__ import annotations

import lzma
import math
import subprocess
import sys
import tempfile
from array import array
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parents[1] / "services" / "ingest" / "connectors" / "simulator" / "sound" / "recordings"
PATIENCE_S = 60
LEVEL = 10 ** (-20 / 20)  # of what is said, root mean square, of full scale
PEAK = 10 ** (-6 / 20)
FULL = 32768.0
BETWEEN = b"\x7f" * 200  # minus nothing; `voices.py` of the simulated floor knows it too
SUFFIX = ".ulaw.xz"

# what is said first, what else, and of a customer last what is said on hold
ENGLISH = {
    "agent": (
        "Thank you for calling. How can I help you?",
        "Let me have a look at your account.",
        "Could you give me the order number, please?",
        "I understand. I will put that right for you.",
        "Just a moment, it is loading.",
        "Yes, I can see it here.",
    ),
    "customer": (
        "Hello. I have a question about my last bill.",
        "It is four, seven, nine, two, one.",
        "No, that was in October.",
        "All right. And how long will that take?",
        "Yes, please do.",
        "I already called about this last week.",
        "Hm. On hold again.",
    ),
}

# Pinyin with tones, because espeak-ng 1.51 reads the characters as English
CHINESE = {
    "agent": (
        "nin2 hao3, hen3 gao1xing4 wei4 nin2 fu2wu4.",  # 您好，很高兴为您服务。
        "qing3wen4 nin2 de5 ding4dan1hao4 shi4 duo1shao3?",  # 请问您的订单号是多少？
        "hao3 de5, wo3 bang1 nin2 cha2 yi2xia4.",  # 好的，我帮您查一下。
        "qing3 nin2 shao1deng3, xi4tong3 zheng4zai4 da3kai1.",  # 请您稍等，系统正在打开。
        "wo3 kan4dao4 le5, zhe4 bi3 fei4yong4 shi4 shang4ge4yue4 de5.",  # 我看到了，这笔费用是上个月的。
        "mei2 wen4ti2, wo3 xian4zai4 jiu4 wei4 nin2 chu3li3.",  # 没问题，我现在就为您处理。
    ),
    "customer": (
        "ni3 hao3, wo3 xiang3 wen4 yi2xia4 wo3 de5 zhang4dan1.",  # 你好，我想问一下我的账单。
        "si4 qi1 jiu3 er4 yi1.",  # 四七九二一。
        "bu2dui4, na4 shi4 shi2 yue4fen4 de5.",  # 不对，那是十月份的。
        "hao3 de5, da4gai4 yao4 duo1jiu3?",  # 好的，大概要多久？
        "en4, ma2fan5 nin2 le5.",  # 嗯，麻烦您了。
        "shang4ge4 xing1qi1 wo3 yi3jing1 da3guo4 dian4hua4 le5.",  # 上个星期我已经打过电话了。
        "ai4, you4 rang4 wo3 deng3.",  # 唉，又让我等。
    ),
}


@dataclass(frozen=True)
class Voice:
    """Somebody who speaks: what says it, and `larger` how much larger than that speaker they are (deeper, same pace)."""

    name: str
    lines: tuple[str, ...]
    speaker: tuple[str, ...]  # the command, which takes the text and the file behind it
    larger: float = 1.0


def _flite(voice: str) -> tuple[str, ...]:
    return ("flite", "-voice", voice, "--setf", "duration_stretch=0.92", "-t", "{text}", "-o", "{file}")


def _espeak(variant: str, pitch: int, speed: int) -> tuple[str, ...]:
    voice = f"cmn-latn-pinyin+{variant}"
    return ("espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "-w", "{file}", "{text}")


VOICES = (
    Voice("en-agent-f", ENGLISH["agent"], _flite("slt")),
    Voice("en-agent-m", ENGLISH["agent"], _flite("rms")),
    Voice("en-customer-f", ENGLISH["customer"], _flite("slt"), larger=0.87),
    Voice("en-customer-m", ENGLISH["customer"], _flite("awb")),
    Voice("zh-agent-f", CHINESE["agent"], _espeak("f2", 55, 205)),
    Voice("zh-agent-m", CHINESE["agent"], _espeak("m3", 50, 205)),
    Voice("zh-customer-f", CHINESE["customer"], _espeak("f4", 70, 200), larger=0.95),
    Voice("zh-customer-m", CHINESE["customer"], _espeak("m7", 62, 200), larger=0.93),
)


def run(*words: str) -> bytes:
    """What a program writes. Raises SystemExit with its own words when it fails or is not there."""
    try:
        done = subprocess.run(words, capture_output=True, timeout=PATIENCE_S, check=False)
    except FileNotFoundError:
        sys.exit(
            f"make voices needs {words[0]} (Debian: apt-get install flite espeak-ng sox); running Floorwatch does not"
        )
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def say(voice: Voice, text: str, room: Path) -> array[int]:
    """One line as a telephone carries it: 8 kHz, 300 to 3400 Hz, no silence around it."""
    spoken = str(room / "line.wav")
    run(*(word.format(text=text, file=spoken) for word in voice.speaker))
    trim = ("silence", "1", "0.02", "-45d", "reverse")
    effects = ["speed", str(1 / voice.larger), "tempo", "-s", str(voice.larger), "highpass", "250", "lowpass", "3400"]
    raw = ("-t", "raw", "-e", "signed", "-b", "16", "-L", "-r", "8000", "-c", "1", "-")
    found = array("h", run("sox", "-D", "-V1", spoken, *raw, "gain", "-6", *effects, *trim, *trim))
    if sys.byteorder == "big":
        found.byteswap()
    return levelled(found)


def levelled(line: array[int]) -> array[int]:
    """The same loudness for every line, and no peak above -6 dBFS: what is louder is bent, not cut."""
    heard = sorted(abs(one) for one in line)[len(line) // 3 :]  # pauses say nothing of how loud a voice is
    gain = LEVEL * FULL / math.sqrt(sum(one * one for one in heard) / len(heard))
    return array("h", (round(PEAK * FULL * math.tanh(one * gain / (PEAK * FULL))) for one in line))


def companded(line: array[int]) -> bytes:
    """G.711 µ-law."""
    return bytes(_code(one) for one in line)


def _code(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    size = min(abs(sample), 32635) + 132
    exponent = size.bit_length() - 8
    return ~(sign | exponent << 4 | size >> exponent + 3 & 0x0F) & 0xFF


def main() -> None:
    """Write every voice."""
    with tempfile.TemporaryDirectory() as folder:
        for voice in VOICES:
            lines = [companded(say(voice, text, Path(folder))) for text in voice.lines]
            whole = BETWEEN.join(lines)
            if len(whole.split(BETWEEN)) != len(lines):
                sys.exit(f"{voice.name}: what parts the lines occurs in one")
            (HERE / f"{voice.name}{SUFFIX}").write_bytes(lzma.compress(whole, preset=9 | lzma.PRESET_EXTREME))
            seconds = ", ".join(f"{len(line) / 8000:.1f}" for line in lines)
            print(f"{voice.name}: {len(whole)} bytes; lines of {seconds} s")


if __name__ == "__main__":
    main()
