"""How our topics are made on Kafka."""

from __future__ import annotations

from typing import Final

from shared.bus import MAX_RECORD_BYTES
from shared.topics import Topic

MAX_MESSAGE_BYTES: Final = MAX_RECORD_BYTES + 48_000  # a record or a dead letter, and the framing


def config_of(topic: Topic) -> dict[str, str]:
    """The settings of `topic`, by Kafka's names for them."""
    config = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
    if topic.compacted:
        config["cleanup.policy"] = "compact"
    config["retention.ms"] = "-1" if topic.keep is None else str(int(topic.keep.total_seconds() * 1000))
    return config
