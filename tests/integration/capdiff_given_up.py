#!/usr/bin/env python3
"""What waits in vain is more than can be held: it is given up, in all views, and that is a doubt.

Usage: capdiff_given_up.py CAPDIFF DATA. All calls are on one connection. Many are big, and they lack
their record in the log, or the server's view, so that nothing settles them. A client has its answer
long after the proxy has: a call that is over on one leg is under way on the other one when those of a
certain age are given up. Nobody may be blamed for what was given up, nor for what is left of it.
"""
import collections
import datetime
import hashlib
import json
import subprocess
import sys
from pathlib import Path

BIG, BIG_CALLS, CALLS = 1 << 20, range(2, 56), 60  # bytes of a big call; which these are, of how many
SEGMENT = 60000
ANSWERED, SEEN = 0.1, 0.9  # seconds after a call: by the server, and by the client

capdiff = sys.argv[1]
sys.path.insert(0, sys.argv[2])
import generate  # noqa: E402 # pylint: disable=wrong-import-position


def body(number):
    return b"%08d" % number * (BIG // 8 if number in BIG_CALLS else 1)


def request(number):
    return b"POST /tool HTTP/1.1\r\nHost: agent-b:8000\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body(number)), body(number))


def record(number, client, upstream, at):
    stamp = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    return {"ts": stamp.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "exchange": number, "connection": 1, "client": "%s:%d" % client.ends[0],
            "upstream": "%s:%d" % upstream.ends[1], "upstream_local": "%s:%d" % upstream.ends[0],
            "method": "POST", "target": "/tool", "status": 200, "call_id": None,
            "request_sha256": hashlib.sha256(body(number)).hexdigest(),
            "response_sha256": hashlib.sha256(generate.answer(number)).hexdigest(),
            "rules": [], "changes": [], "error": None}


def write(unlogged, unseen):
    """The captures and the log, without the records, and the packets at the server, of some calls."""
    legs = client, upstream, server = generate.Lab.connect(1, generate.START)
    log = []
    for number in range(1, CALLS + 1):
        at, before = generate.START + number, len(server.packets)
        for leg, later in zip(legs, (0, 0.001, 0.002)):
            leg.say(0, at + later, request(number), size=SEGMENT)
        for leg, later in ((server, ANSWERED), (upstream, ANSWERED), (client, SEEN)):
            leg.say(1, at + later, generate.response(number))
        if number not in unlogged:
            log.append(record(number, client, upstream, at))
        if number in unseen:
            del server.packets[before:]
    for leg in legs:
        leg.close(at + 1)
    for name, packets in (("proxy", client.packets + upstream.packets), ("server", server.packets)):
        packets.sort(key=lambda packet: packet.time)
        Path(f"{name}.pcap").write_bytes(generate.pcap(packets))
    Path("log.ndjson").write_bytes(generate.ndjson(log))


def check(unlogged=(), unseen=()):
    write(unlogged, unseen)
    done = subprocess.run([capdiff, "--format", "json", "--hold", "0", "--exchange-log", "log.ndjson",
                           "proxy.pcap", "server.pcap"], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 3) and not done.stderr, (done.returncode, done.stderr)
    report = json.loads(done.stdout)
    given_up = {doubt["capture"]: doubt["count"]
                for doubt in report["doubts"] if doubt["kind"] == "crowded"}
    found = collections.Counter(item["kind"] for item in report["differences"]["items"])
    print(given_up, "given up,", dict(found), "found", flush=True)
    assert given_up["proxy.pcap"] > 0
    assert set(found) <= ({"unlogged"} if unlogged else set()), found
    return given_up["proxy.pcap"], given_up.get("server.pcap", 0), found["unlogged"]


proxy, server, found = check(unlogged=BIG_CALLS)
assert proxy == 2 * server and found == len(BIG_CALLS) - server
check(unlogged=range(1, BIG_CALLS.stop))  # which connections are a pair is told only behind them
proxy, server, found = check(unseen=BIG_CALLS)
assert proxy % 2 == 0 and server == 0
