"""`floorwatch topics`: the topics with the partitions that were asked for, on a broker."""

from __future__ import annotations

from pathlib import Path

from floorwatch.topics import make, others, table, table_there
from shared import topics
from shared.kafka import KafkaBus
from shared.settings import CommonSettings
from tests.embedded import embedded_broker


async def partitions_at(bootstrap: str, topic: topics.Topic) -> int:
    bus = KafkaBus(bootstrap)
    try:
        reader = await bus.read([topic])
        try:
            return len(await reader.bounds())
        finally:
            await reader.close()
    finally:
        await bus.close()


async def test_topics_are_made_with_their_partitions_and_left_as_they_are(tmp_path: Path) -> None:
    with embedded_broker(tmp_path / "broker.log") as broker:
        settings = CommonSettings(kafka_bootstrap=broker.bootstrap)
        first = await make(settings, 3, 1)
        assert others(first, 3) == []
        then = await make(settings, 5, 1)
        assert then == first
        assert await partitions_at(broker.bootstrap, topics.FLOOR_EVENTS) == 3
        assert await partitions_at(broker.bootstrap, topics.FLOOR_CHECKPOINTS) == 1
    assert others(then, 5) == [topic.name for topic in topics.ALL if topic is not topics.FLOOR_CHECKPOINTS]
    assert table_there(then).splitlines()[1].split() == ["switch.raw", "3"]


def test_the_table_names_every_topic() -> None:
    lines = table(12, 3).splitlines()[1:]
    assert [line.split()[0] for line in lines] == [topic.name for topic in topics.ALL]
    assert lines[0].split()[1:] == ["12", "3", "7", "days"]
