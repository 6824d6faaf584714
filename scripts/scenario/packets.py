"""Captures in this lab's forms (pcap-savefile(5)): TCP over IPv4, read packet by packet, and written."""
import struct
from typing import NamedTuple

LINK_HEADERS = {1: (12, 14), 101: (None, 0), 113: (14, 16), 276: (0, 20)}  # EtherType at, length
MAGICS = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}  # nanoseconds of the stamps' fraction
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


class Packet(NamedTuple):
    time: int  # ns
    source: tuple  # address as text, port
    target: tuple
    flags: int
    seq: int
    ack: int
    payload: bytes


def parse(time, frame, link):
    """The TCP packet that FRAME holds, or None."""
    at, start = LINK_HEADERS[link]
    if at is not None and frame[at:at + 2] != b"\x08\x00":
        return None
    ip = frame[start:]
    if len(ip) < 20 or ip[0] >> 4 != 4 or ip[9] != 6:
        return None
    tcp = ip[(ip[0] & 15) * 4:int.from_bytes(ip[2:4], "big")]
    if len(tcp) < 20:
        return None
    source, target, seq, ack, offset, flags = struct.unpack("!HHIIBB", tcp[:14])
    addresses = [".".join(map(str, ip[at:at + 4])) for at in (12, 16)]
    return Packet(time, (addresses[0], source), (addresses[1], target), flags, seq, ack,
                  tcp[(offset >> 4) * 4:])


def read_packets(data):
    """Those of a whole pcap; a last one that is cut is left out."""
    order = "<" if int.from_bytes(data[:4], "little") in MAGICS else ">"
    magic, link = struct.unpack(order + "I16xI", data[:24])
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, kept = struct.unpack(order + "III", data[at:at + 12])
        frame = data[at + 16:at + 16 + kept]
        at += 16 + kept
        packet = parse(seconds * 10**9 + fraction * MAGICS[magic], frame, link)
        if packet and at <= len(data):
            yield packet


def build(packet):
    """A frame of link type 101; checksums are left out, as a network card's would be."""
    tcp = struct.pack("!HHIIBBHHH", packet.source[1], packet.target[1], packet.seq, packet.ack,
                      5 << 4, packet.flags, 65535, 0, 0)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(packet.payload), 0, 0x4000, 64, 6, 0)
    ends = b"".join(bytes(map(int, end[0].split("."))) for end in (packet.source, packet.target))
    return ip + ends + tcp + packet.payload


def write_packets(path, packets):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 101))
        for packet in packets:
            frame = build(packet)
            file.write(struct.pack("<IIII", packet.time // 10**9, packet.time % 10**9, len(frame),
                                   len(frame)) + frame)
