#!/usr/bin/env python3
"""Writes captures of a transparent proxy, and of TLS, that tests/integration/capdiff_diverted.bats compares.

agent 10.77.1.2 -> server 10.77.2.2:80, diverted on the way to a proxy on the router 10.77.2.1: as the
router saw it on the device any (both legs, with each packet's way), and as the server saw it. By REDIRECT
the router calls from its own address, by TPROXY from the agent's address and port. Usage: generate.py
[DIRECTORY]
"""
import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("labs", HERE.parent / "capdiff" / "generate.py")
labs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(labs)
ETHERNET, RAW, SLL, SLL2, START = labs.ETHERNET, labs.RAW, labs.SLL, labs.SLL2, labs.START
Connection, ndjson, pcap, pcapng, request = labs.Connection, labs.ndjson, labs.pcap, labs.pcapng, labs.request

AGENT, ROUTER, SERVER = "10.77.1.2", "10.77.2.1", "10.77.2.2"
IN, OUT = 0, 4


def cooked(packets, link=SLL2):
    """A pcap with Linux cooked headers that tell each packet's way."""
    device = b"\0\1"

    def frame(packet, _link, _wrap=b""):
        kind = packet.way
        if link == SLL:
            return bytes([0, kind]) + device + bytes(10) + b"\x08\0" + packet.ip()
        return b"\x08\0" + bytes(6) + device + bytes([kind]) + bytes(9) + packet.ip()

    for packet in packets:
        packet.frame = frame.__get__(packet)
    data = pcap(packets, link)
    for packet in packets:
        del packet.frame
    return data


def with_way(packets, opener, way):
    """WAY is that of what the OPENER sends."""
    for packet in packets:
        packet.way = way if packet.src == opener else IN + OUT - way
    return packets


class Diverted:
    """Calls, each on a connection of its own that is diverted, and goes on as another."""

    def __init__(self, tproxy, calls=3, upstream=request, ports=(80,)):
        self.router, self.server, self.log = [], [], []
        for number in range(1, calls + 1):
            time, service = START + number, (SERVER, ports[number % len(ports)])
            agent = (AGENT, 40000 + number)
            own = agent if tproxy else (ROUTER, 50000 + number)
            # The numbers are near each other, as those of two namespaces of one kernel are.
            legs = [Connection(agent, service, time, isn=number * 9000),
                    Connection(own, service, time + 0.0011, isn=number * 9000 + 700),
                    Connection(own, service, time + 0.0011, isn=number * 9000 + 700)]
            self.call(legs, number, time + 0.001, upstream)
            self.router += with_way(legs[0].packets, agent, IN) + with_way(legs[1].packets, own, OUT)
            self.server += with_way(legs[2].packets, own, IN)
        for packets in (self.router, self.server):
            packets.sort(key=lambda packet: packet.time)

    def call(self, legs, number, time, upstream):
        client, up, seen = legs
        client.say(0, time, request(number))
        for leg in (up, seen):
            leg.say(0, time + 0.001, upstream(number))
            leg.say(1, time + 0.002, labs.response(number))
        client.say(1, time + 0.003, labs.response(number))
        client.close(time + 0.4)
        for leg in (up, seen):
            leg.close(time + 0.41)
        self.log.append({
            "ts": "2026-01-01T00:00:%02d.000000Z" % number, "exchange": number, "connection": number,
            "client": "%s:%d" % client.ends[0], "upstream": "%s:%d" % up.ends[1],
            "upstream_local": "%s:%d" % up.ends[0], "method": "POST", "target": "/tool", "status": 200,
            "call_id": f"call-{number:04}", "rules": [], "changes": [], "error": None})


class Refused(Diverted):
    """Calls to several ports, and to one where nobody listens."""

    def __init__(self, tproxy):
        super().__init__(tproxy, calls=5, ports=(80, 81))
        time, agent, closed = START + 5.5, (AGENT, 41000), (SERVER, 99)
        own = agent if tproxy else (ROUTER, 51000)
        client = Connection(agent, closed, time, isn=77000)
        client.say(0, time + 0.01, request(6))
        client.say(1, time + 0.02, b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        client.close(time + 0.1)
        knock = Connection(own, closed, time + 0.011, isn=77700).packets[:1]
        knock.append(type(knock[0])(time + 0.012, closed, own, 0, 77701, labs.RST | labs.ACK))
        self.router += with_way(client.packets, agent, IN) + with_way(knock, own, OUT)
        self.router.sort(key=lambda packet: packet.time)
        self.log.append(dict(self.log[0], ts="2026-01-01T00:00:05.520000Z", exchange=6, call_id="call-0006",
                             client="%s:%d" % agent, upstream="%s:%d" % closed, upstream_local=None, status=502,
                             error="connect_failed"))


def payload(packets):
    """A payload capture: pcapng whose packets' flags tell their ways."""
    empty = pcapng([], RAW)
    out = empty
    for packet in packets:
        block = pcapng([packet], RAW)[len(empty):-4]
        options = bytes([2, 0, 4, 0, 1 if packet.way == IN else 2, 0, 0, 0]) + bytes(4)
        size = (len(block) + 4 + len(options)).to_bytes(4, "little")
        out += block[:4] + size + block[8:] + options + size
    return out


def passed_on(packets):
    """As a router sees what it only passes on: each packet comes in, and goes out again."""
    twice = []
    for packet in packets:
        for way in (IN, OUT):
            again = type(packet)(packet.time, packet.src, packet.dst, packet.seq, packet.ack, packet.flags, packet.data)
            again.way = way
            twice.append(again)
    return twice


HELLO = b"\x16\x03\x01\0\x2e\1\0\0\x2a\3\3%b\0\0\2\x13\1\1\0\0\0"
SECRET = b"\x17\x03\x03\0\x14%b"
UPGRADE = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"


def tls(number, secret):
    """What is said in turns, the client first."""
    return [HELLO % (b"%032d" % number), SECRET % (b"back %015d" % number),
            SECRET % (b"call %015d" % secret), SECRET % (b"answer %013d" % number)]


def upgraded(number, secret):
    return [UPGRADE, UPGRADED + b"welcome", b"call %d" % secret, b"ANSWER %d" % number]


def raw(number, secret):
    return [b"", b"220 the server speaks first\r\n", b"call %d\r\n" % secret, b"250 answer %d\r\n" % number]


class Tunnels(Diverted):
    """Connections of which the proxy reads nothing, or TLS that it takes apart."""

    def __init__(self, turns, apart=False, tamper=False):
        self.turns, self.apart, self.tamper = turns, apart, tamper
        super().__init__(False)

    def call(self, legs, number, time, upstream):
        said = {}
        for leg, where in zip(legs, ("client", "upstream", "upstream")):
            own = number + (100 if self.apart and where == "upstream" else 0)
            secret = own + (50 if self.tamper and where == "upstream" and number == 2 else 0)
            later = 0 if where == "client" else 0.001
            said[where] = self.turns(own, secret)
            for at, (side, text) in enumerate(zip((0, 1, 0, 1), said[where])):
                leg.say(side, time + 0.003 * at + (0.001 - later if side else later), text)
            leg.close(time + 0.4 + later)
        heads = (len(UPGRADE), len(UPGRADED)) if self.turns == upgraded else (0, 0)
        record = {"method": None, "target": f"{SERVER}:80", "status": None, "tunnel": {
            "protocol": None, "request_bytes": len(said["upstream"][0] + said["upstream"][2]) - heads[0],
            "response_bytes": len(said["client"][1] + said["client"][3]) - heads[1], "frames": None}}
        if self.turns == upgraded:
            record |= {"method": "GET", "target": "/chat", "status": 101}
        if self.apart:
            record = {"method": "POST", "target": "/tool", "status": 200}
        self.log.append({
            "ts": "2026-01-01T00:00:%02d.100000Z" % number, "exchange": number, "connection": number,
            "client": "%s:%d" % legs[0].ends[0], "upstream": f"{SERVER}:80",
            "upstream_local": "%s:%d" % legs[1].ends[0], "call_id": None,
            "rules": [], "changes": [], "error": None, **record})


def lying(log):
    """The second record tells of a byte more, to the client."""
    for record in log[1:2]:
        record["tunnel"]["response_bytes"] += 1
    return ndjson(log)


def main():
    out = Path(sys.argv[1] if len(sys.argv) > 1 else HERE)
    files = {}
    for name, tproxy in (("redirect", False), ("tproxy", True)):
        run, edited, refused = Diverted(tproxy), Diverted(tproxy, upstream=labs.changed), Refused(tproxy)
        late = [p for p in run.router if p.time > START + 1.002]
        files |= {
            f"{name}-any.pcap": cooked(run.router),
            f"{name}-any-v1.pcap": cooked(run.router, SLL),
            f"{name}-ethernet.pcap": pcap(run.router, ETHERNET),
            f"{name}-payload.pcapng": payload(run.router),
            f"{name}-late.pcap": cooked(late),
            f"{name}-changed.pcap": cooked(edited.router),
            f"{name}-changed-payload.pcapng": payload(edited.router),
            f"{name}-server.pcap": pcap(run.server),
            f"{name}-changed-server.pcap": pcap(edited.server),
            f"{name}.ndjson": ndjson(run.log),
            f"{name}-refused.pcap": cooked(refused.router),
            f"{name}-refused-server.pcap": pcap(refused.server),
            f"{name}-refused.ndjson": ndjson(refused.log),
        }
    direct = Diverted(True).server
    files["passed-on-any.pcap"] = cooked(passed_on(direct))
    tunnels = {"tls-passes": Tunnels(tls), "tls-changed": Tunnels(tls, tamper=True),
               "tls-apart": Tunnels(tls, apart=True), "upgraded": Tunnels(upgraded), "raw": Tunnels(raw),
               "upgraded-changed": Tunnels(upgraded, tamper=True), "raw-changed": Tunnels(raw, tamper=True)}
    for name, run in tunnels.items():
        files |= {f"{name}-any.pcap": cooked(run.router), f"{name}-server.pcap": pcap(run.server),
                  f"{name}.ndjson": ndjson(run.log)}
        if name in ("tls-passes", "upgraded", "raw"):
            files[f"{name}-lying.ndjson"] = lying(run.log)
    # What was said within TLS, between the same ends.
    files["tls-apart-payload.pcapng"] = payload(Diverted(False).router)
    for name, data in files.items():
        (out / name).write_bytes(data)


if __name__ == "__main__":
    main()
