"""Child processes that never outlive their parent, and the waiting for their readiness.

Each child leads its own session and process group, so that Ctrl-C reaches only the supervisor and a signal to the group reaches
the child's own children. When the supervisor dies, even by SIGKILL, the child goes too: on Linux the kernel sees to it
(PR_SET_PDEATHSIG, prctl(2)); elsewhere `floorwatch.leash` runs the child and watches a pipe whose other end is the supervisor's.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

Ready = Callable[[], Awaitable[str | None]]  # None when ready, else the reason

_PR_SET_PDEATHSIG: Final = 1
_PROBE_S: Final = 1.0


@dataclass(frozen=True)
class Program:
    """What to run. `ready` says when it is up; without one it is up when it has run for a moment. `ends_within_s`: after SIGTERM,
    as it promises itself; None where it promises nothing."""

    name: str
    command: Sequence[str]
    ready: Ready | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    ends_within_s: float | None = None


class Child:
    """A running program; its output goes to `log_path`."""

    def __init__(
        self, program: Program, process: asyncio.subprocess.Process, log_path: Path, leash: int | None
    ) -> None:
        self.program = program
        self.log_path = log_path
        self._process = process
        self._leash = leash

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    @property
    def how_it_ended(self) -> str:
        """`code 1` or `SIGKILL`."""
        code = self._process.returncode
        return f"code {code}" if code is None or code >= 0 else signal.Signals(-code).name

    async def wait(self) -> None:
        """Return when it has ended; whatever it had started itself is killed."""
        await self._process.wait()
        self.signal(signal.SIGKILL)
        if self._leash is not None:
            os.close(self._leash)
            self._leash = None

    def signal(self, number: signal.Signals) -> None:
        """Signal the whole group; one that is gone already is fine."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def stop(self, patience_s: float) -> None:
        """SIGTERM, then SIGKILL when it has not ended after `patience_s`."""
        if not self.ended:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), patience_s)
        self.signal(signal.SIGKILL)
        await self.wait()

    def last_lines(self, count: int = 12) -> list[str]:
        """The end of its log, what a person needs first when it died."""
        with contextlib.suppress(OSError), self.log_path.open("rb") as log:
            log.seek(max(0, self.log_path.stat().st_size - 16_384))
            lines = log.read().decode("utf-8", "replace").splitlines()
            return [_readable(line) for line in lines if line.strip()][-count:]
        return []


async def spawn(program: Program, log_dir: Path) -> Child:
    """Start `program`, with its output behind what its log has. Raises OSError."""
    log_path = log_dir / f"{program.name}.log"
    leash: tuple[int, int] | None = None if sys.platform == "linux" else os.pipe()
    command = list(program.command)
    if leash is not None:
        command = [sys.executable, "-P", "-m", "floorwatch.leash", str(leash[0]), *command]
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **program.env},
            start_new_session=True,
            preexec_fn=die_with_parent(),
            pass_fds=(leash[0],) if leash is not None else (),
        )
    if leash is not None:
        os.close(leash[0])
    return Child(program, process, log_path, leash[1] if leash is not None else None)


def rotate(log_path: Path) -> None:
    """Keep the log of the last run as `NAME.log.1` and begin a new one."""
    with contextlib.suppress(FileNotFoundError):
        log_path.replace(log_path.with_suffix(".log.1"))


def die_with_parent() -> Callable[[], None] | None:
    """What the child does between fork and exec on Linux; everything it needs is looked up before the fork."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return tie


def http_ready(host: str, port: int, *, tls: bool = False) -> Ready:
    """Asks `/readyz`: None for 200, else the reasons it gives. Nothing is told, so whose certificate it is is not asked."""
    context = None
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it bears another name than 127.0.0.1

    async def ask() -> str | None:
        try:
            async with asyncio.timeout(_PROBE_S):
                reader, writer = await asyncio.open_connection(host, port, ssl=context)
                try:
                    writer.write(f"GET /readyz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
                    answer = await reader.read(65_536)
                    while more := await reader.read(65_536):
                        answer += more
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return f"port {port} does not answer yet"
        head, _, body = answer.partition(b"\r\n\r\n")
        return None if head.startswith(b"HTTP/1.1 200") else _reasons(body)

    return ask


def _reasons(body: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError, KeyError):
        checks = json.loads(body)["checks"]
        return "; ".join(f"{name}: {check['reason']}" for name, check in checks.items() if not check["ok"])
    return "it says that it is not ready, and not why"


def _readable(line: str) -> str:
    """A JSON log line as words; any other line as it is."""
    try:
        fields = json.loads(line)
        event = fields.pop("event")
    except (ValueError, AttributeError, KeyError, TypeError):
        return line
    trace = fields.pop("exception", "")
    rest = " ".join(f"{key}={value}" for key, value in fields.items() if key not in ("service", "timestamp", "level"))
    last = str(trace).strip().splitlines()[-1:] if trace else []
    return " ".join(part for part in (f"{fields.get('level', '')}:", str(event), rest, *last) if part)
