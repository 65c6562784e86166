"""What a service's own `/metrics` says, held against the reference that is read off services which never ran."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

# values of these come from outside, of all others from the code; what bounds them is said on the page
FROM_OUTSIDE: Final = frozenset({"site", "queue", "receiver", "version", "file", "certificate", "provider"})

Series = tuple[str, frozenset[tuple[str, str]]]


def series(text: str) -> Iterator[tuple[Series, float]]:
    """Each sample of the text format by name and labels."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield (sample.name, frozenset(sample.labels.items())), sample.value


def lacking(reference: CollectorRegistry, text: str) -> list[str]:
    """What a service's reference has, and `text`, which it said right after its start, has not: metrics, values of labels."""
    there = {one for one, _ in series(text)}
    found: list[str] = []
    for metric in reference.collect():
        name = metric.name + ("_total" if metric.type == "counter" else "")
        if f"# HELP {name} " not in text:
            found.append(name)
        for sample in metric.samples:
            if FROM_OUTSIDE.isdisjoint(sample.labels) and (sample.name, frozenset(sample.labels.items())) not in there:
                found.append(f"{sample.name} {sample.labels}")
    return found


async def complaints(text: str) -> str:
    """What promtool says of names, units and helps; "" for nothing, and where there is no promtool."""
    if not shutil.which("promtool"):
        return ""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("promtool", "check", "metrics", stdin=pipe, stdout=pipe, stderr=pipe)
    out, err = await process.communicate(text.encode())
    return (out + err).decode()
