"""What a passive listener on the wire reads: measured in the bytes of the captures, without any
key.
"""
import json

from .certificates import NAME
from .packets import read_packets

LEGS = {"client": ("proxy.pcap", 8080), "upstream": ("agent_http.pcap", 8000)}


def strings(value):
    """All texts in a JSON value that are long enough to be found by no accident."""
    if isinstance(value, str):
        return [value] if len(value) > 3 else []
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in strings(item)]


def marks_of(call):
    """(a call's id, what else gives it away: its tool and its arguments), as they stand on the wire."""
    others = strings([call.get("tool_name"), call.get("arguments")])
    return json.dumps(call["id"]).encode(), [text.encode() for text in others]


def directions(packets, port):
    """(what went to the servers on PORT, what came from them): bytes, as they stood on the wire."""
    runs = {}
    for packet in packets:
        if port in (packet.source[1], packet.target[1]):
            first, pieces = runs.setdefault((packet.source, packet.target), (packet.seq, {}))
            if packet.payload:
                pieces.setdefault((packet.seq - first) & 0xffffffff, packet.payload)
    there, back = b"", b""
    for (source, _), (_, pieces) in runs.items():
        text = b"".join(pieces[at] for at in sorted(pieces))
        there, back = (there, back + text) if source[1] == port else (there + text, back)
    return there, back


def heard(there, back, calls):
    """What one leg gives away."""
    marks = [marks_of(call) for call in calls]
    return {
        "anything": bool(there or back),
        "calls": any(name in there and any(mark in there for mark in others) for name, others in marks),
        "name": NAME.encode() in there,
        "certificate": NAME.encode() in back,
    }


def listen(captures, calls):
    """CAPTURES are the bytes of LEGS' files, by name; CALLS are agent_a's."""
    return {leg: heard(*directions(read_packets(captures[name]), port), calls)
            for leg, (name, port) in LEGS.items()}
