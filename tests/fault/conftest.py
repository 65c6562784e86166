"""Brokers for the fault tests, and a place for what they measure: figures are told, never asserted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from shared.bus import Bus
from shared.errors import BusError
from shared.kafka import KafkaBus
from tests.brokers import Broker, broker_of_its_own

MEASURED = pytest.StashKey[list[str]]()


@pytest.fixture
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A broker of its own, of the kind that the test is parametrized with; the embedded one otherwise."""
    with broker_of_its_own(getattr(request, "param", "embedded"), tmp_path) as started:
        yield started


@pytest.fixture
async def bus(broker: Broker) -> AsyncIterator[Bus]:
    """The test's own connection: it gives a broker that is away a minute before it says that it is."""
    connected = KafkaBus(broker.bootstrap, idempotent=broker.idempotent, request_timeout_s=60)
    yield connected
    with contextlib.suppress(BusError):
        await connected.close()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tell a figure; all of them are printed at the end of the run."""
    told = request.config.stash.setdefault(MEASURED, [])
    return lambda figure: told.append(f"{request.node.name}: {figure}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    told = config.stash.get(MEASURED, [])
    if told:
        terminalreporter.section("measured under faults")
        for line in told:
            terminalreporter.write_line(line)
