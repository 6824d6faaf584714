#!/usr/bin/env python3
"""Writes the captures and logs that tests/integration/capdiff.bats compares.

Each pair is one lab run: agent_a 172.20.0.4 -> proxy 172.20.0.3:8080 -> agent_b 172.20.0.2:8000, as
the proxy saw it (both legs) and as agent_b saw it (the upstream leg, and its own health checks).
Nothing but Python's standard library is needed. Usage: generate.py [DIRECTORY]
"""
import hashlib
import json
import struct
import sys
from datetime import datetime, timezone
from pathlib import Path

AGENT, PROXY, SERVER, LOOPBACK = "172.20.0.4", "172.20.0.3", "172.20.0.2", "127.0.0.1"
START = 1767225600.0  # 2026-01-01T00:00:00Z
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ETHERNET, SLL, SLL2, NULL, RAW = 1, 113, 276, 0, 101


class Packet:
    def __init__(self, time, src, dst, seq, ack, flags, data=b""):
        self.time, self.src, self.dst = time, src, dst
        self.seq, self.ack, self.flags, self.data = seq % 2**32, ack % 2**32, flags, data

    def ip(self):
        tcp = struct.pack(">HHIIBBHHH", self.src[1], self.dst[1], self.seq, self.ack, 0x50,
                          self.flags, 64240, 0, 0) + self.data
        address = [bytes(map(int, end[0].split("."))) for end in (self.src, self.dst)]
        return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0,
                           *address) + tcp

    def frame(self, link, wrap=b""):
        return self.wrapped(link, self.ip(), wrap)

    def fragments(self, link, size=104):
        """The packet cut into pieces of SIZE bytes, the last one first."""
        ip = self.ip()
        head, payload, pieces = ip[:20], ip[20:], []
        for at in range(0, len(payload), size):
            piece = payload[at:at + size]
            more = 0x2000 if at + size < len(payload) else 0
            pieces.append(self.wrapped(link, head[:2] + struct.pack(
                ">HHH", 20 + len(piece), self.seq & 0xFFFF, more | at // 8) + head[8:] + piece))
        return pieces[::-1]

    @staticmethod
    def wrapped(link, ip, wrap=b""):
        if wrap:
            return bytes(12) + wrap + ip
        if link == ETHERNET:
            return (bytes(12) + b"\x08\x00" + ip).ljust(60, b"\xaa")
        if link == SLL:
            return bytes(14) + b"\x08\x00" + ip
        if link == SLL2:
            return b"\x08\x00" + bytes(18) + ip
        if link == NULL:
            return struct.pack("<I", 2) + ip
        return ip


class Connection:
    """One TCP connection whose packets come out in order."""

    def __init__(self, client, server, time, isn=1000):
        self.ends = [client, server]
        self.next = [isn, isn * 7 + 3]
        self.packets = []
        self.send(0, time, b"", SYN)
        self.send(1, time + 0.00001, b"", SYN | ACK)
        self.send(0, time + 0.00002, b"", ACK)

    def send(self, side, time, data=b"", flags=ACK):
        ack = self.next[1 - side] if flags & ACK else 0
        self.packets.append(Packet(time, self.ends[side], self.ends[1 - side], self.next[side],
                                   ack, flags | (PSH if data else 0), data))
        self.next[side] += len(data) + (1 if flags & (SYN | FIN) else 0)

    def say(self, side, time, data, size=1460, pace=0):
        for at in range(0, len(data), size):
            self.send(side, time, data[at:at + size])
            self.send(1 - side, time + 0.000005)
            time += pace

    def close(self, time):
        self.send(0, time, b"", FIN | ACK)
        self.send(1, time + 0.00001, b"", FIN | ACK)
        self.send(0, time + 0.00002)


def body(number, depth=2):
    return json.dumps({"id": f"call-{number:04}", "type": "tool_call",
                       "tool_name": "analyze_dependency",
                       "arguments": {"repo": "demo-repo", "target": "libssl", "depth": depth}},
                      separators=(",", ":")).encode()


def request(number, **more):
    data = body(number, **more)
    return (b"POST /tool HTTP/1.1\r\nhost:  agent-b:8000\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(data)) + data


def answer(number):
    return json.dumps({"id": f"call-{number:04}", "type": "tool_result",
                       "result": {"ok": True, "echo": {"depth": 2}}},
                      separators=(",", ":")).encode()


def response(number):
    data = answer(number)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n" \
           b"\r\n%x\r\n%s\r\n0\r\nX-Trailer: yes\r\n\r\n" % (len(data), data)


class Lab:
    """Calls at a distance of one second, each on a connection of its own, or all on one."""

    def __init__(self, calls=3, one_connection=False, upstream=request, downstream=response,
                 at_server=request, lose=None):
        self.lose = lose
        self.proxy, self.server, self.log = [], [], []
        legs = None
        for number in range(1, calls + 1):
            time = START + number
            if legs is None or not one_connection:
                legs = self.connect(number, time)
            self.call(legs, number, time + 0.001, upstream, downstream, at_server)
            if not one_connection or number == calls:
                for connection in legs:
                    connection.close(time + 0.5)
                self.proxy += legs[0].packets + legs[1].packets
                self.server += legs[2].packets
        check = Connection((LOOPBACK, 50000), (LOOPBACK, 8000), START + 0.7)
        check.say(0, START + 0.71, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        check.say(1, START + 0.72, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        check.close(START + 0.73)
        self.server += check.packets
        probe = Connection((AGENT, 39999), (PROXY, 8080), START + 0.5)
        probe.close(START + 0.51)
        self.proxy += probe.packets
        for packets in (self.proxy, self.server):
            packets.sort(key=lambda packet: packet.time)

    @staticmethod
    def connect(number, time):
        up = ((PROXY, 45000 + number), (SERVER, 8000))
        return [Connection((AGENT, 40000 + number), (PROXY, 8080), time, isn=number * 9000),
                Connection(*up, time + 0.0012, isn=number * 11000),
                Connection(*up, time + 0.0012, isn=number * 11000)]

    def call(self, legs, number, time, upstream, downstream, at_server):
        client, up, seen = legs
        client.say(0, time, request(number))
        up.say(0, time + 0.001, upstream(number))
        if number != self.lose: # else it never came to the server's host
            seen.say(0, time + 0.0011, at_server(number))
            seen.say(1, time + 0.002, response(number))
        up.say(1, time + 0.0021, response(number))
        client.say(1, time + 0.003, downstream(number))
        stamp = datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        forwarded = upstream(number).partition(b"\r\n\r\n")[2]
        self.log.append({
            "ts": stamp, "exchange": number, "connection": number,
            "client": "%s:%d" % client.ends[0], "upstream": "%s:%d" % up.ends[1],
            "upstream_local": "%s:%d" % up.ends[0], "method": "POST", "target": "/tool",
            "status": 200, "call_id": f"call-{number:04}",
            "request_sha256": hashlib.sha256(forwarded).hexdigest(),
            "response_sha256": hashlib.sha256(answer(number)).hexdigest(),
            "rules": [], "changes": [], "error": None})


def pcap(packets, link=ETHERNET, order="<", nano=False, snaplen=262144):
    unit = 10**9 if nano else 10**6
    out = [struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snaplen,
                       link)]
    for packet in packets:
        frame = packet.frame(link)
        stamp = round(packet.time * unit)
        out.append(struct.pack(order + "IIII", stamp // unit, stamp % unit,
                               min(len(frame), snaplen), len(frame)) + frame[:snaplen])
    return b"".join(out)


def pcapng(packets, link=RAW):
    def block(kind, data):
        data = data.ljust(-(-len(data) // 4) * 4, b"\0")
        size = struct.pack("<I", len(data) + 12)
        return struct.pack("<I", kind) + size + data + size

    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack("<HHIHHBxxxHH", link, 0, 0, 9, 1, 9, 0, 0))
    for packet in packets:
        frame, stamp = packet.frame(link), round(packet.time * 10**9)
        out += block(6, struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(frame),
                                    len(frame)) + frame)
    return out


def sections(packets):
    """Two sections of different byte orders, each with interfaces of all kinds of link types."""
    def block(order, kind, data):
        size = struct.pack(order + "I", -(-len(data) // 4) * 4 + 12)
        return struct.pack(order + "I", kind) + size + data.ljust(-(-len(data) // 4) * 4, b"\0") + size

    def option(order, code, data):
        return struct.pack(order + "HH", code, len(data)) + data.ljust(-(-len(data) // 4) * 4, b"\0")

    out, half, kinds = b"", len(packets) // 2, [(RAW, 9), (ETHERNET, 6), (SLL, 0x80 | 30), (SLL2, 3)]
    for order, part in (("<", packets[:half]), (">", packets[half:])):
        out += block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
                     + option(order, 1, b"a comment"))
        for link, resolution in kinds:
            out += block(order, 1, struct.pack(order + "HHI", link, 0, 0)
                         + option(order, 9, bytes([resolution]))
                         + option(order, 14, struct.pack(order + "q", int(START) - 100)))
        out += block(order, 0x0BAD, b"of no concern")
        for number, packet in enumerate(part):
            link, resolution = kinds[number % 4]
            unit = 2**30 if resolution & 0x80 else 10**resolution
            stamp, frame = int((packet.time - START + 100) * unit), packet.frame(link)
            out += block(order, 6, struct.pack(order + "IIIII", number % 4, stamp >> 32,
                                               stamp & 0xFFFFFFFF, len(frame), len(frame))
                         + frame.ljust(-(-len(frame) // 4) * 4, b"\0") + option(order, 1, b"seen"))
    return out


def statistics(dropped, received=100):
    data = struct.pack("<III", 0, 0, 0) + struct.pack("<HHQHHQ", 4, 8, received, 5, 8, dropped)
    size = struct.pack("<I", len(data) + 12)
    return struct.pack("<I", 5) + size + data + size


def raw_pcap(frames, link=ETHERNET):
    """Frames with their times, as they are."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    for time, frame in frames:
        stamp = round(time * 10**6)
        out += struct.pack("<IIII", stamp // 10**6, stamp % 10**6, len(frame), len(frame)) + frame
    return out


def pppoe(packet):
    size = struct.pack(">H", len(packet.ip()) + 2)
    return packet.frame(ETHERNET, b"\x88\x64\x11\x00\x00\x07" + size + b"\x00\x21")


def ndjson(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def changed(number):
    return request(number, depth=3 if number == 2 else 2)


def main():
    out = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    lab, single = Lab(), Lab(one_connection=True)
    files = {
        "proxy.pcap": pcap(lab.proxy),
        "server.pcap": pcap(lab.server),
        "exchanges.ndjson": ndjson(lab.log),
        "torn.ndjson": ndjson(lab.log)[:-40],
        "proxy-payload.pcapng": pcapng(lab.proxy),
        "server-sll2-ns.pcap": pcap(lab.server, SLL2, ">", nano=True),
        "server-sll.pcap": pcap(lab.server, SLL),
        "proxy-null.pcap": pcap(lab.proxy, NULL, ">"),
        "single-proxy.pcap": pcap(single.proxy),
        "single-server.pcap": pcap(single.server),
        "single-server-late.pcap": pcap([p for p in single.server if p.time > START + 2.5]),
        "server-late.pcap": pcap([p for p in lab.server if p.time > START + 1.9]),
        "server-cut.pcap": pcap(lab.server)[:-10],
        "server-gap.pcap": pcap([p for p in lab.server
                                 if not (p.data.startswith(b"POST") and b"0002" in p.data)]),
        "server-snapped.pcap": pcap(lab.server, snaplen=150),
        "server-empty.pcap": pcap([]),
        "server-sections.pcapng": sections(lab.server),
        "server-drops.pcapng": pcapng(lab.server) + statistics(3) + statistics(7),
        "server-vlan.pcap": raw_pcap([(p.time, p.frame(ETHERNET, b"\x81\0\0\x05\x08\0"))
                                      for p in lab.server]),
        "server-qinq.pcap": raw_pcap([(p.time, p.frame(
            ETHERNET, b"\x88\xa8\0\x07\x81\0\0\x05\x08\0")) for p in lab.server]),
        "server-pppoe.pcap": raw_pcap([(p.time, pppoe(p)) for p in lab.server]),
        "server-fragments.pcap": raw_pcap([(p.time, frame) for p in lab.server
                                           for frame in p.fragments(ETHERNET)]),
        "server-fragment-lost.pcap": raw_pcap([(p.time, frame) for p in lab.server
                                               for frame in p.fragments(ETHERNET)[1:]
                                               or p.fragments(ETHERNET)]),
        "header-only-cut.pcap": pcap([])[:20],
        "not-a-capture.pcap": b"this is no capture, only a line of text\n",
        "zero-bytes.pcap": b"",
        "gzip.pcap": b"\x1f\x8b\x08" + bytes(20),
        "no-http.pcap": pcap([p for p in lab.server if not p.data]),
    }
    swapped = Lab(upstream=changed, at_server=changed)
    files["server-without-2.pcap"] = pcap(
        [p for p in lab.server if 45002 not in (p.src[1], p.dst[1])])
    files["single-server-lost.pcap"] = pcap(Lab(one_connection=True, lose=2).server)
    files["single-server-missed.pcap"] = pcap(
        [p for p in single.server if not (p.data and b"0002" in p.data)])
    injected = []
    for packet in lab.server:
        injected.append(packet)
        if packet.data.startswith(b"POST") and b"0002" in packet.data:
            injected.append(Packet(packet.time, packet.src, packet.dst, packet.seq, packet.ack,
                                   packet.flags, packet.data.replace(b":2}}", b":9}}")))
    files["server-injected.pcap"] = pcap(injected)
    torn = []
    for packet in single.server: # the second request without the middle of its body
        if packet.data.startswith(b"POST") and b"0002" in packet.data:
            for at, end in ((0, 120), (150, len(packet.data))):
                torn.append(Packet(packet.time, packet.src, packet.dst, packet.seq + at, packet.ack,
                                   packet.flags, packet.data[at:end]))
        else:
            torn.append(packet)
    files["single-server-body-gap.pcap"] = pcap(torn)
    files["changed-in-proxy.pcap"] = pcap(swapped.proxy)
    files["changed-at-server.pcap"] = pcap(swapped.server)
    for record in swapped.log:
        if record["exchange"] == 2:
            record["rules"] = ["deeper"]
            record["changes"] = [{"side": "request", "pointer": "/arguments/depth",
                                  "old": "2", "new": "3"}]
    files["changed.ndjson"] = ndjson(swapped.log)
    client = [p for p in lab.proxy if AGENT in (p.src[0], p.dst[0])]
    files["client.pcap"] = pcap(client, SLL)
    files["client-late.pcap"] = pcap([p for p in client if p.time > START + 1.9])
    files["client-changed.pcap"] = files["client.pcap"].replace(
        b'"id":"call-0002","type":"tool_call"', b'"id":"call-0002","type":"tool_CALL"')
    files["changed-on-the-way.pcap"] = pcap(Lab(at_server=changed).server)
    files["response-changed.pcap"] = pcap(
        Lab(downstream=lambda number: response(number).replace(b"application/json", b"text/json"))
        .proxy)
    lying = [dict(record) for record in lab.log]
    lying[1]["request_sha256"] = "0" * 64
    files["lying.ndjson"] = ndjson(lying)
    earlier = [dict(record, ts=record["ts"].replace("2026", "2025"), response_sha256="2" * 64)
               for record in lab.log]
    files["two-runs.ndjson"] = ndjson(earlier + lab.log)
    more = lab.log + [dict(lab.log[2], exchange=4, client=f"{AGENT}:40004", call_id="call-0004",
                           ts="2026-01-01T00:00:09.000000Z", request_sha256="1" * 64)]
    files["one-more.ndjson"] = ndjson(more)
    for name, data in files.items():
        (out / name).write_bytes(data)


if __name__ == "__main__":
    main()
