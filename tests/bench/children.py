"""Measured processes: each measurement in a fresh one, so that none sees the garbage, the caches or the threads of another.

A child says `ready`, waits for `go`, measures, and says what it found: one JSON value a line on its standard output. What it
logs goes to its standard error.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from floorwatch.processes import die_with_parent
from shared import logs

ROOT: Final = Path(__file__).resolve().parents[2]
T = TypeVar("T")


class Child:
    """A measuring process, seen from its parent."""

    def __init__(self, process: asyncio.subprocess.Process, patience_s: float) -> None:
        self.process = process
        self._patience_s = patience_s

    async def hear(self) -> Any:
        """The next thing that the child says. Raises RuntimeError when it ends or takes too long."""
        assert self.process.stdout is not None
        async with asyncio.timeout(self._patience_s):
            line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a measuring process ended early, exit code {await self.process.wait()}")
        return msgspec.json.decode(line)

    async def ready(self) -> None:
        """Wait until it is ready to measure."""
        said = await self.hear()
        if said != "ready":
            raise RuntimeError(f"a measuring process said {said!r} instead of being ready")

    def go(self) -> None:
        """Let it begin."""
        self.tell("go")

    def tell(self, word: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(word) + b"\n")


@contextlib.asynccontextmanager
async def child(work: Callable[..., None], args: Struct, *, patience_s: float = 600.0) -> AsyncIterator[Child]:
    """`work(args)` in a process of its own, which is gone at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from tests.bench.children import work_in_child; work_in_child(*sys.argv[1:])",
        work.__module__,
        work.__name__,
        msgspec.json.encode(args).decode(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=die_with_parent(),
        limit=1 << 24,
    )
    try:
        yield Child(process, patience_s)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


_out = os.fdopen(os.dup(1), "wb", closefd=True)  # for `say`, whatever else writes to standard output


def say(word: Any) -> None:
    """For a child: tell the parent."""
    _out.write(msgspec.json.encode(word) + b"\n")
    _out.flush()


def wait_for_go() -> Any:
    """For a child: say that it is ready and stand still, its event loop included, until the parent speaks."""
    say("ready")
    return msgspec.json.decode(sys.stdin.buffer.readline())


def work_in_child(module: str, name: str, task: str) -> None:
    """Run the function `name` of `module` with its `task`."""
    os.dup2(2, 1)
    logs.configure("bench", level="warning", fmt="json")
    found = importlib.import_module(module)
    getattr(found, name)(msgspec.json.decode(task, type=found.Task))
