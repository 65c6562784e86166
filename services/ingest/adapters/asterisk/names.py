"""What the names of channels and devices say: technology, device, agent, the halves of a Local channel."""

from __future__ import annotations

from typing import Final

# Channels that carry sound out of the switch, such as to a listener.
CARRIES_SOUND: Final = frozenset({"AudioSocket", "WebSocket", "Snoop", "UnicastRTP", "MulticastRTP"})
# These and channels that are glue of the switch itself are nobody's phone, so never a party of a call.
NOT_A_PHONE: Final = frozenset(
    {
        *CARRIES_SOUND,
        *("Local", "AsyncGoto", "Bridge", "Surrogate"),
        *("CBAnn", "CBRec", "Announcer", "Recorder", "Message", "Parked", "Bogus"),
    }
)


def tech_of(name: str) -> str:
    """`PJSIP` of `PJSIP/1001-0000000a`."""
    return name.partition("/")[0]


def device_of(channel_name: str) -> str:
    """`PJSIP/1001` of `PJSIP/1001-0000000a`."""
    return channel_name.rpartition("-")[0] or channel_name


def ident_of(interface: str) -> str:
    """The extension-like id in a device or interface: `1007` of `PJSIP/1007`, `Local/1007@agents/n`, `hint:1007@ext`."""
    tail = interface.partition("/")[2] or interface.partition(":")[2] or interface
    return tail.partition("/")[0].partition("@")[0]


def is_phone(channel_name: str) -> bool:
    """Whether a channel of this name can be somebody's phone or line."""
    return tech_of(channel_name) not in NOT_A_PHONE


def local_half(channel_name: str) -> tuple[str, str]:
    """(`Local/1007@agents-00000001`, `1`) of `Local/1007@agents-00000001;1`; the second is empty for other channels."""
    if channel_name.startswith("Local/"):
        stem, semicolon, half = channel_name.rpartition(";")
        if semicolon and half in ("1", "2"):
            return stem, half
    return "", ""
