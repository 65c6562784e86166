from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded import embedded_broker


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an embedded broker that all tests share: use topic names of your own."""
    log_path: Path = tmp_path_factory.mktemp("broker") / "broker.log"
    with embedded_broker(log_path) as broker:
        yield broker.bootstrap
