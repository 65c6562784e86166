"""Why Kafka does not do what it was asked, where its own word for it does not say what to do.

By the names of the protocol's errors: https://kafka.apache.org/protocol#protocol_error_codes
"""

from __future__ import annotations

from typing import Final

_TOO_LARGE: Final = ("MessageSizeTooLargeError", "RecordListTooLargeError")
_DENIED: Final = ("TopicAuthorizationFailedError", "ClusterAuthorizationFailedError")


def why_refused(exc: BaseException, doing: str, largest: int) -> str | None:
    """What to do about `exc`, which `doing` met; None where its name says all. `largest`: bytes of our largest message."""
    what = type(exc).__name__
    if what in _TOO_LARGE:
        return f"refuses it for its size ({doing}): set max.message.bytes of the topic to {largest} at least"
    if what == "UnknownTopicOrPartitionError":
        return f"does not know the topic ({doing})"
    if what in _DENIED:
        named = exc.args[0] if exc.args else ()
        topics = sorted(map(str, named)) if isinstance(named, set | frozenset | list) else [str(named)] if named else []
        of_what = f" of {', '.join(topics)}" if any(topic not in doing for topic in topics) else ""
        return f"denies this user the right to that ({doing}{of_what}: {what}): see its ACLs"
    return None


def why_no_entry(exc: BaseException) -> str:
    """Why a broker that answers does not let us in."""
    name = type(exc).__name__
    if name == "KafkaConnectionError":
        return "it hangs up: does it speak this security protocol at this port?"
    what = str(exc.args[0]) if exc.args else ""
    return f"it does not let this user in: {name}" + (f": {what}" if what else "")
