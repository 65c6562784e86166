"""What is rightly sent, for each target: fuzzing begins from it."""

from __future__ import annotations

import gzip
import json
import struct

from shared import events, facts
from shared.codec import encode
from tests.amikit import RAW
from tests.deskkit import call_ended, transfer_ended
from tests.floorkit import SITE, event
from tests.fuzz.targets import CUT
from tests.ingestkit import cloud
from tests.recordedasterisk import packets

_EVENTS = (
    events.LinkUp(connector="c"),
    events.AgentLoggedOn(agent_id="1", name="王芳", queues=("sales",)),
    events.CallStarted(call_id="c", from_number="+4530123456"),
    events.CallQueued(call_id="c", queue="sales"),
    events.LegStarted(call_id="c", leg_id="l", agent_id="1"),
    events.TransferRequested(transfer_id="t", call_id="c", kind="blind", from_agent="1"),
)
_BANK = "AA0101 33116 9664491 2 PS 990101 0:00:31 0:00:36 5 0:00:36 0:03:09 153 HANG 0:00:00 0:00:00 0 NO_SERVER"


def seeds(target: str) -> list[bytes]:
    """Inputs of this target that are as they should be."""
    match target:
        case "codec":
            made = [encode(event(0, data, number)) for number, data in enumerate(_EVENTS)]
            for data in (call_ended(), transfer_ended()):
                made.append(encode(facts.make(data, id="f", source="/monitor", site=SITE, time=data.ended_at)))
            return made
        case "generic":
            said = [("call_started", {"call_id": "c"}), ("call_queued", {"call_id": "c", "queue": "sales"})]
            return [CUT.join(json.dumps(cloud(kind, data)).encode() for kind, data in said)]
        case "asterisk":
            found = [json.dumps(headers).encode() for _, headers in packets()[:2000]]
            return [CUT.join(found[at : at + 30]) for at in range(0, len(found), 30)]
        case "ami":
            return [b"\x07" + gzip.decompress(RAW.read_bytes())[at : at + 2000] for at in (0, 4000)]
        case "audiosocket":
            name = struct.pack(">BH", 1, 16) + bytes(range(16))
            return [b"\x05" + name + (struct.pack(">BH", 0x10, 320) + bytes(320)) * 3 + b"\x00\x00\x00"]
        case "media":
            return [bytes((kind, rate, 53)) + bytes(range(256)) * 8 for kind in range(8) for rate in (0, 1)]
        case "control":
            fork = "9c6d8a0e-7f0c-4f9f-a7a5-0c6b8a7f6b11"
            said = f'{{"event": "MEDIA_START", "format": "slin", "fork": "{fork}"}}'
            return [said.encode(), f"MEDIA_START format:slin16 fork:{fork} optimal_frame_size:320".encode()]
        case "anonymous_bank":
            return [CUT.join([_BANK.replace(" ", "\t").encode()] * 3)]
    raise AssertionError(f"{target} has no seeds")
