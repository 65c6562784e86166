from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.embedded import embedded_broker

# how long an example takes is the machine's affair; what may take how long is measured by the bench
# how many examples fit by chance is no fault either
settings.register_profile(
    "floorwatch",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
# a change is judged by examples that follow from the test alone; `make test` on one's own machine draws new ones each time
settings.register_profile("same", settings.get_profile("floorwatch"), derandomize=True)
settings.load_profile("same" if os.environ.get("TEST_EXAMPLES") == "same" else "floorwatch")


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an embedded broker that all tests share: use topic names of your own."""
    log_path: Path = tmp_path_factory.mktemp("broker") / "broker.log"
    with embedded_broker(log_path) as broker:
        yield broker.bootstrap


def pytest_sessionfinish() -> None:
    databases = sys.modules.get("tests.databases")  # most of the tests need none
    if databases is not None:
        asyncio.run(databases.drop_templates())
