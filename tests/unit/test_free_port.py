"""Ports for the servers of tests: one is given away once, also when many processes ask at the same time."""

from __future__ import annotations

import subprocess
import sys

from tools.servers import ROOT, free_port

ASKS_FOR_THE_SAME = """
import sys
from tools import servers
servers._PORTS = range(int(sys.argv[1]), int(sys.argv[1]) + 1)
try:
    print(servers.free_port())
except servers.Failed:
    print("taken")
"""


def test_what_was_given_to_one_process_is_given_to_no_other() -> None:
    """Its server is not up yet, or is down for a moment and will be back on the same port."""
    port = free_port()
    done = subprocess.run(
        [sys.executable, "-c", ASKS_FOR_THE_SAME, str(port)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "taken\n"
