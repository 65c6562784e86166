"""What the tools that start a real server share: a process of our own, its pid file, and the command line."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from floorwatch.processes import die_with_parent

ROOT: Final = Path(__file__).resolve().parents[1]
HOST: Final = "127.0.0.1"
UNAVAILABLE: Final = 3  # exit code: this machine cannot run it
_PORTS: Final = range(10_000, 32_000)
_given: Final[list[socket.socket]] = []


class Unavailable(Exception):
    """This machine lacks something that the server needs; the text says what, and how to get it."""


class Failed(Exception):
    """The server should have run and did not; the text says why."""


def free_port() -> int:
    """A port that nobody listens on, another one each time, in whichever process. Raises Failed when there is none.

    It is none of those that systems give to outgoing connections (from 32768 on), one of which could have it by the time that a
    server wants to listen there. Until this process ends, the UDP port of the same number says to others that it is given away:
    a server that is still to start, or starts again, would find theirs there.
    """
    for port in random.SystemRandom().sample(_PORTS, min(1000, len(_PORTS))):
        mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            mark.bind((HOST, port))
            with socket.socket() as probe:
                probe.bind((HOST, port))
        except OSError:
            mark.close()
            continue
        _given.append(mark)
        return port
    raise Failed(f"no port is free from {_PORTS.start} to {_PORTS.stop - 1}")


class Server(ABC):
    """One server process. Everything it writes is below `folder`; the log of its last start is `folder`/server.log."""

    name: str
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.log_path = self.folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @abstractmethod
    def prepare(self) -> None:
        """Make what the server needs before it starts, once. Raises Unavailable or Failed."""

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def answers(self) -> bool:
        """Whether clients can use it now."""

    def run_as(self) -> dict[str, Any]:
        """Arguments for subprocess that name another user, where it must not run as ours."""
        return {}

    def start(self, *, tied: bool = True) -> int:
        """Return the process id as soon as the server can be used. `tied`: it ends when this process does, however that ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self.run_as(),
                start_new_session=True,  # Ctrl-C reaches us, and we stop it
                preexec_fn=die_with_parent() if tied else None,
            )
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:
            self.kill()
            raise
        return self._process.pid

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        give_up = time.monotonic() + self.start_timeout_s
        while not self.answers():
            if process.poll() is not None:
                raise Failed(f"{self.name} ended while starting, exit code {process.returncode}:\n{self.last_lines()}")
            if time.monotonic() > give_up:
                raise Failed(f"{self.name} does not answer after {self.start_timeout_s:g} s:\n{self.last_lines()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask it to end, and see to it that it does."""
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self.stop_timeout_s)
            self.kill()

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait(self) -> None:
        """Return when it has ended, which somebody has asked it to."""
        assert self._process is not None
        self._process.wait(self.stop_timeout_s)
        self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; it must run."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def last_lines(self, count: int = 15) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(f"  {line}" for line in self.log_path.read_text(errors="replace").splitlines()[-count:])
        return f"  (no log at {self.log_path})"


class PidFile:
    """Remembers a server that outlives the command which started it, as "pid address"."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, pid: int, address: str) -> None:
        self.path.write_text(f"{pid} {address}\n")

    def read(self) -> tuple[int, str] | None:
        """Pid and address of the server, if it still runs; a number that now is another process's does not count."""
        try:
            pid, address = self.path.read_text().split()
        except (OSError, ValueError):
            return None
        return (int(pid), address) if str(self.path.parent) in _command_line(int(pid)) else None

    def stop(self, timeout_s: float) -> bool:
        """End the server; False if none runs."""
        found = self.read()
        if found is not None:
            os.kill(found[0], signal.SIGTERM)
            give_up = time.monotonic() + timeout_s
            while self.read() is not None:
                if time.monotonic() > give_up:
                    os.kill(found[0], signal.SIGKILL)
                time.sleep(0.05)
        self.path.unlink(missing_ok=True)
        return found is not None


def _command_line(pid: int) -> str:
    """Empty when there is no such process, or it has ended and was not waited for yet."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    if Path("/proc/self").exists():
        return ""
    return subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True).stdout


def run_with(server: Server, command: Sequence[str], environment: Callable[[], Mapping[str, str]]) -> int:
    """Run `command` while `server` runs; its exit code."""
    began = time.monotonic()
    server.start()
    print(f"{server.name} is up at {server.address} after {time.monotonic() - began:.1f} s", flush=True)
    try:
        return subprocess.run(command, env=os.environ | environment()).returncode
    finally:
        server.stop()


def parser(prog: str, description: str, actions: Mapping[str, str]) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"python -m {prog}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:<8} {text}" for name, text in actions.items())
        + f"\n\nexit codes: {UNAVAILABLE} = this machine cannot run it, 1 = it should have run and did not",
    )
    made.add_argument("action", choices=list(actions))
    made.add_argument("--or-skip", action="store_true", help="where it cannot run here, say so and exit 0")
    made.add_argument("command", nargs="*", metavar="-- COMMAND", help="what `run` runs")
    return made


def main(act: Callable[[], int], *, or_skip: bool, what: str) -> int:
    """`act()`, its errors put into one line each."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was started is stopped
    try:
        return act()
    except Unavailable as exc:
        print(f"skipped: {what}: {exc}" if or_skip else f"{what}: {exc}", file=sys.stdout if or_skip else sys.stderr)
        return 0 if or_skip else UNAVAILABLE
    except Failed as exc:
        print(exc, file=sys.stderr)
        return 1
    except OSError as exc:  # the disk is full, or a folder is not ours to write to
        print(f"{what}: {exc.filename or 'cannot start'}: {exc.strerror or exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
