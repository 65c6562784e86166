"""What Kafka's refusals are called, and that they name what to look at."""

from __future__ import annotations

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from shared.kafkawords import why_refused

DENIED = "denies this user the right to that"


@pytest.mark.parametrize(
    ("error", "doing", "why"),
    [
        (
            TopicAuthorizationFailedError("switch.raw"),
            "reading",
            f"{DENIED} (reading of switch.raw: TopicAuthorizationFailedError): see its ACLs",
        ),
        (
            TopicAuthorizationFailedError({"b", "a"}),
            "connecting",
            f"{DENIED} (connecting of a, b: TopicAuthorizationFailedError): see its ACLs",
        ),
        (
            TopicAuthorizationFailedError("floor.flags"),
            "publishing to floor.flags",
            f"{DENIED} (publishing to floor.flags: TopicAuthorizationFailedError): see its ACLs",
        ),
        (
            ClusterAuthorizationFailedError(),
            "connecting",
            f"{DENIED} (connecting: ClusterAuthorizationFailedError): see its ACLs",
        ),
        (UnknownTopicOrPartitionError(), "reading", "does not know the topic (reading)"),
        (
            MessageSizeTooLargeError(),
            "sending to floor.events",
            "refuses it for its size (sending to floor.events): set max.message.bytes of the topic to 5 at least",
        ),
        (NotLeaderForPartitionError(), "reading", None),
    ],
)
def test_a_refusal_says_what_and_where(error: KafkaError, doing: str, why: str | None) -> None:
    assert why_refused(error, doing, 5) == why
