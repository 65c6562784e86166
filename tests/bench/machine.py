"""What the figures were measured on, and what else it was doing: on a busy machine latencies say little of us."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    """Processor, cores, memory and Python in one line."""
    model = _after(Path("/proc/cpuinfo"), "model name", platform.machine())
    memory = int(_after(Path("/proc/meminfo"), "MemTotal", "0 kB").split()[0]) / 1e6
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} x {model}, {memory:.0f} GB, {platform.system()} {platform.release()}, {python}"


def busy() -> str:
    """The load of the last minute, and how much of it somebody waited for a processor (Linux)."""
    pressure = Path("/proc/pressure/cpu")
    waited = ""
    if pressure.exists():
        waited = next(word[6:] for word in pressure.read_text().split() if word.startswith("avg60="))
    return f"load {os.getloadavg()[0]:.1f}" + (f", waiting for a processor {waited} % of the minute" if waited else "")


def _after(path: Path, name: str, otherwise: str) -> str:
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith(name):
                return line.partition(":")[2].strip()
    return otherwise
