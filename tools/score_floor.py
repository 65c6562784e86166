"""How right the records of a recorded floor are: `python -m tools.score_floor GROUND_TRUTH RECORDS [--json]`.

GROUND_TRUTH is what phones and customers of the recorded floor wrote down themselves (tests/recorded/asterisk), RECORDS what
`floorwatch replay --out` made of the switch's events. Either may be gzipped.

- agent seconds: the share of agents' time in which the displayed state is the true one. TOLERANCE seconds at either side of a
  true change are not judged, nor is an agent's own outgoing dialling.
- transfers: matched by the agent who asked and the moment, at most 2 s apart. The true total runs from there until customer and
  target share media; for a blind transfer that is the target's answer.
- slow transfers: those over 7 s by more than TOLERANCE, and the flags raised for them.
- queue visits: by queue and outcome.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

TOLERANCE_S = 0.25
SLOW_S = 7.0
Line = dict[str, Any]

SAME = {
    "logged_out": {"offline"},
    "ready": {"ready"},
    "ringing": {"ringing"},
    "talk": {"talk"},
    "hold": {"hold"},
    "consult": {"consult"},
    "consult_dialing": {"consult", "hold"},
    "paused": {"break"},
    "wrap": {"wrap"},
}


def read(path: Path) -> list[Line]:
    """The JSON lines of a file, packed or not."""
    data = path.read_bytes()
    text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def seconds(when: str) -> float:
    """Epoch seconds of an ISO 8601 time."""
    return datetime.fromisoformat(when).timestamp()


def of(lines: Iterable[Line], kind: str, key: str = "type") -> list[Line]:
    return [line for line in lines if line[key] == kind]


def agent_seconds(truth: list[Line], records: list[Line], who: dict[str, str]) -> Line:
    """By true state: seconds judged, seconds right, and what the rest was taken for."""
    shown: defaultdict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for one in of(records, "agent_interval", "record"):
        if agent := who.get(one["agent_id"]):
            shown[agent].append((seconds(one["started_at"]), seconds(one["ended_at"]), one["state"]))
    taken_for: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for line in of(truth, "timeline"):
        for start, end, state, *_ in line["intervals"]:
            if state in SAME and end - start > 2 * TOLERANCE_S:
                _judge(taken_for[state], shown[line["agent"]], start + TOLERANCE_S, end - TOLERANCE_S)
    by_state = {
        state: {
            "seconds": round(sum(found.values()), 1),
            "right": round(sum(found.get(name, 0.0) for name in SAME[state]) / sum(found.values()), 4),
            "taken_for": {name: round(s, 1) for name, s in sorted(found.items()) if name not in SAME[state]},
        }
        for state, found in sorted(taken_for.items())
    }
    whole = sum(sum(found.values()) for found in taken_for.values())
    right = sum(found.get(name, 0.0) for state, found in taken_for.items() for name in SAME[state])
    return {"right": round(right / whole, 5) if whole else None, "by_state": by_state}


def _judge(found: defaultdict[str, float], shown: list[tuple[float, float, str]], start: float, end: float) -> None:
    """Add what was shown from `start` to `end`; where nothing was, "nothing"."""
    covered = 0.0
    for began, ended, state in shown:
        overlap = min(ended, end) - max(began, start)
        if overlap > 0:
            found[state] += overlap
            covered += overlap
    if end - start - covered > 1e-6:
        found["nothing"] += end - start - covered


def true_total(transfer: Line, calls: dict[str, Line]) -> float | None:
    """Seconds until customer and target shared media; None when they never did."""
    if transfer["outcome"] != "completed":
        return None
    if transfer["mode"] == "attended":
        return float(transfer["end"] - transfer["start"])
    legs = calls.get(transfer["call"], {"legs": []})["legs"]
    after = max(transfer["start"] + 0.001, transfer["end"] - 0.05)
    bridged = min((leg["start"] for leg in legs if leg["start"] >= after), default=None)
    return None if bridged is None else float(bridged - transfer["start"])


def transfers(truth: list[Line], records: list[Line], who: dict[str, str]) -> tuple[Line, list[tuple[float, float]]]:
    """The score, and of every true transfer its start and how long it took, whether it arrived or not."""
    calls = {call["call"]: call for call in of(truth, "call")}
    mine, errors, agree, took = of(records, "transfer", "record"), [], 0, []
    count = len(mine)
    for one in (wanted := of(truth, "transfer")):
        total = true_total(one, calls)
        took.append((one["start"], one["duration"] if total is None else total))
        near = [r for r in mine if who.get(r["from_agent"]) == one["from_agent"]]
        best = min(near, key=lambda r: abs(seconds(r["requested_at"]) - one["start"]), default=None)
        if best is None or abs(seconds(best["requested_at"]) - one["start"]) > 2:
            continue
        mine.remove(best)
        agree += (best["bridged_at"] is not None) == (total is not None)
        if total is not None and best["total_s"] is not None:
            errors.append(abs(best["total_s"] - total))
    score = {
        "true": len(wanted),
        "found": count - len(mine),
        "invented": len(mine),
        "reached_or_not_agrees": agree,
        "largest_error_of_a_total_s": round(max(errors), 3) if errors else None,
    }
    return score, took


def slow_transfers(took: list[tuple[float, float]], records: list[Line]) -> Line:
    """Flags beside the transfers that were slow. Those within TOLERANCE of the limit may have one or not."""
    raised = [seconds(one["raised_at"]) for one in of(records, "flag", "record") if "slow_transfer" in one["rule"]]
    slow = [start + SLOW_S for start, total in took if total > SLOW_S + TOLERANCE_S]
    close = [start + SLOW_S for start, total in took if abs(total - SLOW_S) <= TOLERANCE_S]
    distances = []
    for due in slow:
        nearest = min(raised, key=lambda at: abs(at - due), default=None)
        if nearest is not None and abs(nearest - due) < 1.5:
            raised.remove(nearest)
            distances.append(abs(nearest - due))
    false = [at for at in raised if not any(abs(at - due) < 1.5 for due in close)]
    return {
        "true": len(slow),
        "flagged": len(distances),
        "false": len(false),
        "largest_distance_from_7s": round(max(distances), 3) if distances else None,
    }


def queue_visits(truth: list[Line], records: list[Line]) -> Line:
    """By queue and outcome."""

    def known(outcome: str) -> str:
        return outcome if outcome in ("answered", "abandoned") else "other"

    wanted = Counter((v["queue"], known(v["outcome"])) for call in of(truth, "call") for v in call["queue_visits"])
    found = Counter((one["queue"], known(one["outcome"])) for one in of(records, "call", "record") if one["queue"])
    return {"true": wanted.total(), "found": (wanted & found).total(), "invented": (found - wanted).total()}


def score(truth: list[Line], records: list[Line]) -> Line:
    """Every figure."""
    who = {
        str(agent[key]): str(agent["agent"])
        for agent in of(truth, "agent")
        for key in ("agent", "name", "interface", "state_interface")
    }
    of_transfers, took = transfers(truth, records, who)
    return {
        "agent_seconds": agent_seconds(truth, records, who),
        "transfers": of_transfers,
        "slow_transfers": slow_transfers(took, records),
        "queue_visits": queue_visits(truth, records),
    }


def told(found: Line) -> str:
    """The score in lines for people."""
    states, of_transfers, slow, visits = found.values()
    lines = [f"agent seconds   {states['right'] or 0:.3%} right"]
    for state, one in states["by_state"].items():
        rest = ", ".join(f"{s} s taken for {name}" for name, s in one["taken_for"].items())
        lines.append(f"  {state:<15} {one['right']:.2%} of {one['seconds']} s{': ' + rest if rest else ''}")
    lines.append(
        f"transfers       {of_transfers['found']} of {of_transfers['true']} found, {of_transfers['invented']} invented, "
        f"{of_transfers['reached_or_not_agrees']} with the right end, "
        f"largest error of a total {of_transfers['largest_error_of_a_total_s']} s"
    )
    lines.append(
        f"slow transfers  {slow['flagged']} of {slow['true']} flagged, {slow['false']} false, "
        f"at most {slow['largest_distance_from_7s']} s from their 7 s"
    )
    lines.append(f"queue visits    {visits['found']} of {visits['true']} right, {visits['invented']} invented")
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("ground_truth", type=Path)
    parser.add_argument("records", type=Path)
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")
    arguments = parser.parse_args()
    found = score(read(arguments.ground_truth), read(arguments.records))
    sys.stdout.write((json.dumps(found, indent=2) if arguments.json else told(found)) + "\n")


if __name__ == "__main__":
    main()
