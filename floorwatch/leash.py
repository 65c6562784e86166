"""`python -m floorwatch.leash FD COMMAND...`: run COMMAND and kill it when the pipe FD closes, that is, when its owner dies.

For systems whose kernel cannot do that. It passes SIGTERM and SIGINT on and ends with the command's code.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys


def main() -> int:
    """Run the command line given in `sys.argv`."""
    pipe, command = int(sys.argv[1]), sys.argv[2:]
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake_write)
    child = subprocess.Popen(command)

    def pass_on(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # only to wake the select below
    while child.poll() is None:
        readable, _, _ = select.select([pipe, wake_read], [], [], 1.0)
        if pipe in readable and not os.read(pipe, 1):
            child.kill()
            return 1
        with contextlib.suppress(BlockingIOError):
            os.read(wake_read, 512)
    code = child.returncode
    if code < 0:  # die of the same signal, so that our own parent sees the truth
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main())
