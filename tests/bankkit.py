"""Call logs made up with every irregularity, and an oracle: the figures straight from the rows, by the definitions.

The oracle shares nothing with the product: it reads, places and counts in its own simple way.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from rich.console import Console

from floorwatch.replay import Replay
from floorwatch.replayreport import Complaints
from floorwatch.rowlogs import for_log
from floorwatch.summary.file import SummaryFile
from floorwatch.traces import Trace
from services.ingest.adapters.anonymous_bank import AnonymousBankAdapter
from services.monitor.core.rules.rulebook import RuleBook
from shared.sites import load_sites

ROOT = Path(__file__).parents[1]
HEADER = (
    "vru+line\tcall_id\tcustomer_id\tpriority\ttype\tdate\tvru_entry\tvru_exit\tvru_time\t"
    "q_start\tq_exit\tq_time\toutcome\tser_start\tser_exit\tser_time\tserver"
)
DAY = 86_400


def clock(seconds: int) -> str:
    """As the log writes it: the hour without a leading zero."""
    seconds %= DAY
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def row(
    entry: int,
    *,
    day: str = "990105",
    vru: int = 5,
    wait: int = 0,
    outcome: str = "AGENT",
    talk: int = 60,
    server: str = "ANAT",
    kind: str = "PS",
    priority: str = "0",
    line: str = "AA0101",
    call_id: str = "1",
    queue_after: int = 0,
    serve_after: int = -1,
    **fields: str,
) -> list[str]:
    """The fields of one row; `serve_after` is how far the agents' clock is from the queue's. `fields` replaces some by name."""
    left = entry + vru + (queue_after if wait else 0)
    queue = (clock(left), clock(left + wait)) if wait else ("0:00:00", "0:00:00")
    served = max(left + wait + serve_after, 0)
    service = (clock(served), clock(served + talk)) if talk else ("0:00:00", "0:00:00")
    values = [line, call_id, "0", priority, kind, day, clock(entry), clock(entry + vru), str(vru), *queue, str(wait)]
    values += [outcome, *service, str(talk), server]
    names = HEADER.split("\t")
    for name, value in fields.items():
        values[names.index(name)] = value
    return values


def tabbed(*rows: list[str]) -> list[str]:
    return ["\t".join(one) for one in rows]


def write(path: Path, lines: Iterable[str], *, header: bool = True, end: str = "\n", last_end: bool = True) -> Path:
    """The lines as a file, packed if `path` ends in .gz."""
    text = end.join([*([HEADER] if header else []), *lines]) + (end if last_end else "")
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


SITES = load_sites(ROOT / "deploy" / "sites.yaml")
RULES = RuleBook(())


def summary_of(file: Path, *, site: str = "bank") -> dict[str, Any]:
    """What `floorwatch replay FILE --adapter anonymous_bank --summary ...` writes, without what it tells meanwhile."""
    sites = for_log(SITES, site)
    adapter = AnonymousBankAdapter(site, sites.site(site))
    replay = Replay(site, adapter, sites, RULES, is_log=True)
    out = file.with_suffix(".summary.json")
    complaints = Complaints(Console(quiet=True), file)
    figures = SummaryFile(out, adapter, sites.site(site))
    with Trace(file, complaints.damaged) as trace:
        complaints.line_of = trace.line_of
        for fact in replay.run(trace.raws(site=site, vendor="anonymous_bank"), complaints.rejected):
            figures.add(fact)
    figures.write(replay.summary, complaints, file)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


# ---------------------------------------------------------------- made-up rows

DAYS = (
    "990101",
    "990105",
    "990131",
    "990228",
    "990401",
    "990402",
    "990403",
    "990902",
    "990903",
    "990930",
    "991231",
    "000229",
)
SERVERS = ("NO_SERVER", "ANAT", "anat", "NO_SERVERTALI", "TALI", "O'HARA", "ÉVA", "A.B-C")
TYPES = ("PS", "PE", "NE", "NW", "IN", "TT", "AA", "ps")


@st.composite
def rows(draw: Callable[..., Any]) -> list[str]:
    """A readable row of any kind, its clocks within what real ones do."""
    entry = draw(st.one_of(st.integers(0, 15), st.integers(200, DAY - 1), st.integers(DAY - 400, DAY - 1)))
    vru = draw(st.one_of(st.integers(0, 90), st.integers(-139, 0) if entry >= 200 else st.just(0)))
    wait = draw(st.one_of(st.just(0), st.integers(1, 40), st.integers(1, 4000), st.integers(-9, -1)))
    outcome = draw(st.sampled_from(("AGENT", "AGENT", "AGENT", "HANG", "HANG", "PHANTOM")))
    served = outcome == "AGENT" or draw(st.booleans())
    talk = draw(st.one_of(st.just(0), st.integers(1, 30), st.integers(1, 20_000), st.integers(-9, -1))) if served else 0
    return row(
        entry,
        day=draw(st.sampled_from(DAYS)),
        vru=vru,
        wait=wait,
        outcome=outcome,
        talk=talk,
        server=draw(st.sampled_from(SERVERS)) if served else "NO_SERVER",
        kind=draw(st.sampled_from(TYPES)),
        priority=draw(st.sampled_from("012")),
        line=draw(st.sampled_from(("AA0101", "AA0102", "AA0611"))),
        call_id=str(draw(st.integers(1, 30))),
        queue_after=draw(st.sampled_from((0, 0, 5))),
        serve_after=draw(st.integers(-3, 3)),
        customer_id=draw(st.sampled_from(("0", "9664491", "3.06E+08", "12345678.5"))),
    )


@st.composite
def lines(draw: Callable[..., Any]) -> str:
    """A row as other months may write it: tabs, blanks, padding."""
    fields = draw(rows())
    style = draw(st.sampled_from(("tabs", "tabs", "tabs", "blanks", "padded", "ends")))
    if style == "blanks":
        return "  ".join(fields)
    if style == "padded":
        return "\t".join(field.ljust(9) for field in fields)
    if style == "ends":
        return " " + "\t".join(fields) + " "
    return "\t".join(fields)


JUNK = (
    "",
    "   ",
    HEADER,
    "AA0101\t33116",
    "\t".join([*row(100), "EXTRA"]),
    "\t".join(row(100, server="AVI DAN")),
    "\t".join(row(100, date="990231")),
    "\t".join(row(100, date="9901")),
    "\t".join(row(100, vru_entry="25:00:00")),
    "\t".join(row(100, ser_start="10:61:00")),
    "\t".join(row(100, q_exit="10:00")),
    "\t".join(row(100, q_time="12.5")),
    "\t".join(row(100, ser_time="")),
    "\t".join(row(100, ser_time="99999999999")),
    "\t".join(row(100, outcome="TRANSFER")),
    "\x1a",
)


# ---------------------------------------------------------------- the oracle


def _secs(text: str) -> int:
    hours, minutes, seconds = map(int, text.split(":"))
    assert hours < 24
    assert minutes < 60
    assert seconds < 60
    return hours * 3600 + minutes * 60 + seconds


def _read(line: str) -> dict[str, Any]:
    fields = line.split()
    one: dict[str, Any] = dict(zip(HEADER.split("\t"), fields, strict=True))
    year = int(one["date"][:2])
    assert len(one["date"]) == 6
    assert one["outcome"] in ("AGENT", "HANG", "PHANTOM")
    one["day"] = date(year + (1900 if year > 50 else 2000), int(one["date"][2:4]), int(one["date"][4:]))
    for name in ("vru_entry", "vru_exit", "q_start", "q_exit", "ser_start", "ser_exit"):
        one[name] = _secs(one[name])
    for name in ("vru_time", "q_time", "ser_time"):
        one[name] = int(one[name])
        assert abs(one[name]) < 10**6
    return one


def expected(content: list[str]) -> dict[str, Any]:
    """The figures of a file with these lines, header included where there is one. Without sha256."""
    found, unreadable, repaired = [], [], 0
    for number, line in enumerate(content, 1):
        if not line.strip() or line.startswith("vru+line"):
            continue
        try:
            found.append(_read(line))
        except (ValueError, AssertionError):
            unreadable.append(number)
            continue
        clean = line.split("\t")
        repaired += len(clean) != 17 or any(not field or field.strip() != field or " " in field for field in clean)
    real = [one for one in found if one["outcome"] != "PHANTOM"]
    phantoms = [one for one in found if one["outcome"] == "PHANTOM"]
    types = sorted({one["type"] for one in found})
    days = sorted({one["day"] for one in found})
    return {
        "unparsable_lines": unreadable,
        "lines_repaired_by_whitespace_split": repaired,
        "rows": len(found),
        **_core(real, len(phantoms)),
        "by_type": {t: _core(_of(real, "type", t), len(_of(phantoms, "type", t))) for t in types},
        "by_priority": {p: _priority(_of(real, "priority", p)) for p in sorted({one["priority"] for one in real})},
        "handled_by_server": {
            s: _server(_of(_served(real), "server", s)) for s in sorted({one["server"] for one in _served(real)})
        },
        "by_date": {d.isoformat(): _day(_of(real, "day", d), len(_of(phantoms, "day", d))) for d in days},
        "by_hour": _hours(real),
        "busy_period": {
            "peak_concurrent_service": _busiest(_served(real), "ser"),
            "peak_queue": _busiest(real, "q"),
        },
        "quirks": _quirks(found),
    }


def _of(found: list[dict[str, Any]], name: str, value: Any) -> list[dict[str, Any]]:
    return [one for one in found if one[name] == value]


def _served(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return _of(found, "outcome", "AGENT")


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _mean(values: list[int]) -> float | None:
    return round(sum(values) / len(values), 6) if values else None


def _rank(values: list[int], share: float) -> int | None:
    return sorted(values)[max(0, ceil(len(values) * share) - 1)] if values else None


def _core(real: list[dict[str, Any]], phantom: int) -> dict[str, Any]:
    served, hung = _served(real), _of(real, "outcome", "HANG")
    waits, given_up = [one["q_time"] for one in served], [one["q_time"] for one in hung]
    talks = [one["ser_time"] for one in served]
    queued, usual = [w for w in given_up if w > 0], [t for t in talks if 0 < t <= 3600]
    within = len([w for w in waits if w <= 20])
    return {
        "offered": len(real),
        "answered": len(served),
        "abandoned": len(hung),
        "abandoned_in_queue": len(queued),
        "abandoned_before_queue": given_up.count(0),
        "phantom": phantom,
        "abandon_rate": _share(len(hung), len(real)),
        "abandon_rate_excl_prequeue": _share(len(queued), len(served) + len(queued)),
        "answered_without_wait": waits.count(0),
        "asa": _mean(waits),
        "asa_queued": _mean([w for w in waits if w > 0]),
        "median_wait_answered": _rank(waits, 0.5),
        "p90_wait_answered": _rank(waits, 0.9),
        "p95_wait_answered": _rank(waits, 0.95),
        "max_wait_answered": max(waits, default=None),
        "max_wait_abandoned": max(given_up, default=None),
        "mean_wait_abandoned": _mean(given_up),
        "mean_wait_abandoned_in_queue": _mean(queued),
        "mean_wait_all_offered": _mean(waits + given_up),
        "aht": _mean(talks),
        "aht_positive": _mean([t for t in talks if t > 0]),
        "talk_seconds": sum(talks),
        "aht_trunc_3600": {
            "n": len(usual),
            "mean": _mean(usual),
            "sd": round(statistics.stdev(usual), 6) if len(usual) > 1 else None,
            "median": statistics.median(usual) if usual else None,
        },
        "short_service_lt10_share": _share(len([t for t in talks if 0 < t < 10]), len([t for t in talks if t > 0])),
        "sl20_offered": _share(within, len(real)),
        "sl20_answered": _share(within, len(served)),
        "sl20_excl_short_abandons": _share(within, len(served) + len([w for w in given_up if w > 20])),
        "sl30_offered": _share(len([w for w in waits if w <= 30]), len(real)),
        "sl60_offered": _share(len([w for w in waits if w <= 60]), len(real)),
        "sl_strict_20_offered": _share(len([w for w in waits if w < 20]), len(real)),
        "answered_within_20": within,
    }


def _some(real: list[dict[str, Any]], *names: str) -> dict[str, Any]:
    core = _core(real, 0)
    return {name: core[name] for name in names}


def _priority(real: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("offered", "answered", "abandoned", "abandon_rate", "asa", "mean_wait_abandoned", "aht", "sl20_offered")
    return _some(real, *names)


def _server(real: list[dict[str, Any]]) -> dict[str, Any]:
    return {"handled": len(real), **_some(real, "talk_seconds", "aht")}


def _day(real: list[dict[str, Any]], phantom: int) -> dict[str, Any]:
    return {**_some(real, "offered", "answered", "abandoned", "asa", "aht", "sl20_offered"), "phantom": phantom}


def _hours(real: list[dict[str, Any]]) -> dict[str, Any]:
    hours = sorted({one["vru_exit"] // 3600 for one in real})
    return {
        f"{h:02}": _some([one for one in real if one["vru_exit"] // 3600 == h], "offered", "answered", "abandoned")
        for h in hours
    }


def _busiest(found: list[dict[str, Any]], what: str) -> dict[str, Any]:
    changes: Counter[datetime] = Counter()
    for one in found:
        start, length = one[f"{what}_start"], one[f"{what}_time"]
        if length <= 0:
            continue
        moved = start < 4 * 3600 and one["vru_entry"] >= 20 * 3600
        at = datetime(one["day"].year, one["day"].month, one["day"].day) + timedelta(days=moved, seconds=start)
        changes[at] += 1
        changes[at + timedelta(seconds=length)] -= 1
    now = most = 0
    when = None
    for at in sorted(changes):
        now += changes[at]
        if now > most:
            most, when = now, at.isoformat()
    return {"value": most, "at": when}


def _quirks(found: list[dict[str, Any]]) -> dict[str, Any]:
    served, hung, phantoms = (_of(found, "outcome", name) for name in ("AGENT", "HANG", "PHANTOM"))

    def count(some: list[dict[str, Any]], holds: Callable[[dict[str, Any]], bool]) -> int:
        return sum(1 for one in some if holds(one))

    def off(one: dict[str, Any], what: str) -> bool:
        return (one[f"{what}_exit"] - one[f"{what}_start"]) % DAY != one[f"{what}_time"] % DAY

    names = {one["server"] for one in found}
    return {
        "agent_with_NO_SERVER": count(served, lambda one: one["server"] == "NO_SERVER"),
        "agent_ser_time_zero": count(served, lambda one: one["ser_time"] == 0),
        "agent_ser_time_gt_3600": count(served, lambda one: one["ser_time"] > 3600),
        "agent_ser_time_max": max((max(one["ser_time"], 0) for one in served), default=None),
        "hang_with_ser_time": count(hung, lambda one: one["ser_time"] > 0),
        "hang_with_server": count(hung, lambda one: one["server"] != "NO_SERVER"),
        "phantom_with_ser_time": count(phantoms, lambda one: one["ser_time"] > 0),
        "vru_time_negative": count(found, lambda one: one["vru_time"] < 0),
        "q_time_negative": count(found, lambda one: one["q_time"] < 0),
        "ser_time_negative": count(found, lambda one: one["ser_time"] < 0),
        "service_ends_after_midnight": count(
            found, lambda one: one["ser_time"] > 0 and one["ser_exit"] < one["ser_start"]
        ),
        "queue_spans_midnight": count(found, lambda one: one["q_time"] > 0 and one["q_exit"] < one["q_start"]),
        "q_time_ne_exit_minus_start_mod_day": count(found, lambda one: off(one, "q")),
        "ser_time_ne_exit_minus_start_mod_day": count(found, lambda one: off(one, "ser")),
        "vru_time_ne_exit_minus_entry": count(found, lambda one: one["vru_exit"] - one["vru_entry"] != one["vru_time"]),
        "ser_start_before_q_exit": count(served, lambda one: one["q_time"] > 0 and one["ser_start"] < one["q_exit"]),
        "distinct_servers_incl_NO_SERVER": len(names),
        "distinct_dates": len({one["day"] for one in found}),
        "server_names_with_embedded_NO_SERVER": sorted(n for n in names if "NO_SERVER" in n and n != "NO_SERVER"),
    }


def without_source(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary as `expected` gives it: without the file's checksum, unreadable lines by number alone."""
    found = {name: value for name, value in summary.items() if name != "sha256_uncompressed"}
    return {**found, "unparsable_lines": [line["line"] for line in summary["unparsable_lines"]]}


def sha256(lines_: list[str], end: str = "\n") -> str:
    return hashlib.sha256((end.join(lines_) + end).encode()).hexdigest()
