"""One target under atheris, which takes over the process: `python -m tests.fuzz.child TARGET` and options of libFuzzer."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["services.ingest", "services.monitor.listen.relay", "shared"]):
    from tests.fuzz.targets import TARGETS

name = sys.argv.pop(1)
atheris.Setup(sys.argv, TARGETS[name])
atheris.Fuzz()
