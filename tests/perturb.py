"""Recordings as they might have come: damaged on the way, or by a switch whose clock was set."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

Packet = tuple[float, dict[str, Any]]  # received (epoch seconds), headers
Recording = list[Packet]
RECORDED = Path(__file__).parent / "recorded" / "asterisk" / "ami.jsonl.gz"


def recording(path: Path = RECORDED) -> Recording:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [(line["t"], line["event"]) for line in map(json.loads, lines)]


def write(packets: Recording, path: Path) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for t, headers in packets:
            lines.write(json.dumps({"t": t, "event": headers}) + "\n")


def stamped(headers: dict[str, Any], by: float) -> dict[str, Any]:
    """The packet as a switch says it whose clock is `by` seconds later."""
    return headers | {"Timestamp": f"{float(headers['Timestamp']) + by:.6f}"} if "Timestamp" in headers else headers


def middle(packets: Recording, share: float = 0.5) -> float:
    """The time when so much of the recording is over."""
    first, last = packets[0][0], packets[-1][0]
    return first + share * (last - first)


def without_stamps(packets: Recording) -> Recording:
    return [(t, {name: value for name, value in headers.items() if name != "Timestamp"}) for t, headers in packets]


def doubled(packets: Recording) -> Recording:
    """Every packet twice."""
    return [packet for packet in packets for _ in range(2)]


def swapped(packets: Recording, share: float = 0.1) -> Recording:
    """Some packets overtaken by the next one, if it came within 50 ms."""
    found, dice, index = list(packets), random.Random(1), 0
    while index + 1 < len(found):
        (t, one), (u, other) = found[index], found[index + 1]
        if u - t < 0.05 and dice.random() < share:
            found[index], found[index + 1] = (t, other), (u, one)
            index += 1
        index += 1
    return found


def clock_set(by: float, share: float = 0.5) -> Callable[[Recording], Recording]:
    """The switch's clock is set by `by` seconds in the middle."""

    def perturb(packets: Recording) -> Recording:
        when = middle(packets, share)
        return [(t, stamped(headers, by) if t >= when else headers) for t, headers in packets]

    return perturb


def skewed(by: float) -> Callable[[Recording], Recording]:
    """The switch's clock is `by` seconds later than ours all along."""
    return lambda packets: [(t, stamped(headers, by)) for t, headers in packets]


def stalled(seconds: float, share: float = 0.5) -> Callable[[Recording], Recording]:
    """The connection stalls; then all that was held up comes at once."""

    def perturb(packets: Recording) -> Recording:
        begin = middle(packets, share)
        end, gone, found = begin + seconds, 0, []
        for t, headers in packets:
            late = begin <= t < end
            found.append((end + gone * 1e-4 if late else max(t, end + gone * 1e-4) if t >= end else t, headers))
            gone += late
        return found

    return perturb


def garbage(packets: Recording) -> Recording:
    """One packet in two hundred has a stamp that is 40 min ahead."""
    return [(t, stamped(headers, 2400) if n % 200 == 150 else headers) for n, (t, headers) in enumerate(packets)]


def lossy(packets: Recording, share: float = 0.01) -> Recording:
    """Some packets are lost."""
    dice = random.Random(7)
    return [packet for packet in packets if dice.random() >= share]


ALL: dict[str, Callable[[Recording], Recording]] = {
    "no stamps": without_stamps,
    "every packet twice": doubled,
    "neighbours swapped": swapped,
    "clock set 1 h ahead": clock_set(3600),
    "clock set 10 min back": clock_set(-600),
    "clock set 5 s ahead": clock_set(5),
    "clock set 5 s back": clock_set(-5),
    "skew 1 h": skewed(3600),
    "skew -1 h": skewed(-3600),
    "stall of 20 s": stalled(20),
    "garbage stamps": garbage,
    "1 % lost": lossy,
}
