"""The embedded broker as a program: that it answers, and what is said when it cannot."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from floorwatch.broker import answers, command_of
from shared.errors import SettingsError
from tests.embedded import embedded_broker
from tools.servers import free_port


async def test_it_answers_while_it_runs(tmp_path: Path) -> None:
    with embedded_broker(tmp_path / "broker.log") as broker:
        assert await answers(broker.port)
    assert not await answers(broker.port)


def test_a_machine_without_a_binary_is_told_what_else_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", str(tmp_path / "nothing"))
    with pytest.raises(SettingsError, match="set KAFKA_BOOTSTRAP"):
        command_of(free_port())


async def test_something_else_on_the_port_does_not_answer() -> None:
    async def mute(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400\r\n")
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", port := free_port())
    async with server:
        assert not await answers(port)
