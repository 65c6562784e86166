"""The packets of a listening leg as Asterisk sends them: an `AudioSocket/` channel that runs ChanSpy, from Originate to Cdr."""

from __future__ import annotations

from typing import Any

from tests.perturb import Packet

PLACE = "127.0.0.1:8604"


def _block(prefix: str, name: str, uid: str, number: str, exten: str, state: int) -> dict[str, str]:
    words = {0: "Down", 4: "Ring", 5: "Ringing", 6: "Up"}
    found = {
        "Channel": name,
        "ChannelState": str(state),
        "ChannelStateDesc": words[state],
        "CallerIDNum": number,
        "CallerIDName": "Listen",
        "ConnectedLineNum": "<unknown>",
        "ConnectedLineName": "<unknown>",
        "Language": "en",
        "AccountCode": "",
        "Context": "default",
        "Exten": exten,
        "Priority": "1",
        "Uniqueid": uid,
        "Linkedid": uid,
    }
    return {prefix + key: value for key, value in found.items()}


def spyee(headers: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """The channel that a packet's block `prefix` describes, as ChanSpyStart names it."""
    names = _block("", "", "", "", "", 6)
    return {f"Spyee{name}": str(headers.get(prefix + name, "")) for name in names}


def leg(
    fork_id: str,
    whom: dict[str, str],
    at: float,
    until: float,
    *,
    options: str = "quDES",
    number: str = "listen",
    lag: float = 0.001,
    digits: str = "",
) -> list[Packet]:
    """One leg on the channel `whom` (of `spyee`) from `at` to `until`, epoch seconds; `digits` were played into it on the way.

    `lag` is how long each packet is on its way.
    """
    uid, name = f"listen-{fork_id}", f"AudioSocket/{PLACE}-{fork_id}"

    def block(state: int, prefix: str = "", exten: str = "s") -> dict[str, str]:
        return _block(prefix, name, uid, number, exten, state)

    data = f"{whom['SpyeeChannel']},{options}"
    spyer = block(6, "Spyer")
    middle = (at + until) / 2
    story: list[tuple[float, str, dict[str, str]]] = [
        (at, "CEL", {"EventName": "CHAN_START", "Channel": name, "UniqueID": uid, "LinkedID": uid}),
        (at, "Newchannel", block(0)),
        (at, "DialBegin", {**block(0, "Dest"), "DialString": PLACE}),
        (at + 0.01, "Newstate", block(6)),
        (at + 0.01, "DeviceStateChange", {"Device": f"AudioSocket/{PLACE}", "State": "INUSE"}),
        (at + 0.01, "DialEnd", {**block(6, "Dest"), "DialStatus": "ANSWER"}),
        (at + 0.01, "Newexten", {**block(6), "Application": "ChanSpy", "AppData": data}),
        (
            at + 0.02,
            "OriginateResponse",
            {"ActionID": f"o-{fork_id}", "Response": "Success", "Channel": name, "Uniqueid": uid, "Reason": "4"}
            | {"Application": "ChanSpy", "Data": data, "CallerIDNum": number, "CallerIDName": "Listen"},
        ),
        (at + 0.02, "CEL", {"EventName": "APP_START", "Channel": name, "UniqueID": uid, "Application": "ChanSpy"}),
        (at + 0.12, "ChanSpyStart", {**spyer, **whom}),
        *(
            (middle, f"DTMF{word}", {**block(6), "Digit": one, "Direction": "Received"})
            for one in digits
            for word in ("Begin", "End")
        ),
        (until, "ChanSpyStop", {**spyer, **whom}),
        (until, "Cdr", {"Channel": name, "UniqueID": uid, "Destination": "s", "LastApplication": "ChanSpy"}),
        (until, "CEL", {"EventName": "APP_END", "Channel": name, "UniqueID": uid, "Application": "ChanSpy"}),
        (until, "Hangup", {**block(6), "Cause": "0", "Cause-txt": "Unknown"}),
        (until, "CEL", {"EventName": "HANGUP", "Channel": name, "UniqueID": uid}),
        (until, "DeviceStateChange", {"Device": f"AudioSocket/{PLACE}", "State": "NOT_INUSE"}),
        (until, "CEL", {"EventName": "CHAN_END", "Channel": name, "UniqueID": uid}),
        (until, "CEL", {"EventName": "LINKEDID_END", "Channel": name, "UniqueID": uid}),
    ]
    return [
        (when + lag, {"Event": event, "Privilege": "call,all", "Timestamp": f"{when:.6f}"} | headers)
        for when, event, headers in story
    ]
