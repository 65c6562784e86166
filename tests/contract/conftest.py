from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.guardedkafka import Doors, Guarded
from tests.servingkit import Authority


@pytest.fixture(scope="package")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """The ways into an Apache Kafka that asks who we are; it takes seconds to start."""
    folder = tmp_path_factory.mktemp("guarded")
    authority = Authority(folder / "ca")
    kafka = Guarded(folder / "kafka", authority)
    try:
        kafka.start()
        yield Doors(
            kafka.address,
            kafka.by_user,
            kafka.by_certificate,
            authority,
            authority.sign("floorwatch", file="client"),
        )
    finally:
        kafka.kill()
