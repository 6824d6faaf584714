#!/usr/bin/env python3
"""Streams and slow clients through mitm_proxy, between a raw client and a raw origin.

usage: streams.py BIN_DIR CASE …    hours, wall_clock, client_leaves, slow_reader or slowloris
"""
import os
import select
import struct
import sys
import tempfile
import time

from programs import require, shim, status_of
from wire import Failure, Lab, TIMEOUT

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
EVENTS = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
EVENT = b"data: 12345678\n\n"
CHUNK = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
HOUR = 3600 * 10**9
MEMORY_MAX = 8 << 10  # KiB that the proxy may grow by
BLOCKED = 0.5         # s in which a socket takes nothing
SLOW_CLIENTS = 100


class Clocks:
    """Those of the programs that are started from now on."""

    def __init__(self, bin_dir):
        self.file = tempfile.NamedTemporaryFile()
        self.set(0, 0)
        os.environ.update(LD_PRELOAD=shim(bin_dir, "clock_jumps"), CLOCK_JUMPS=self.file.name)

    def set(self, wall, monotonic):
        self.file.seek(0)
        self.file.write(struct.pack("qq", wall, monotonic))
        self.file.flush()


def start(bin_dir, *options):
    return Lab(os.path.join(bin_dir, "mitm_proxy"), list(options), False)


def exchange(lab):
    """On connections of its own; the record."""
    client = lab.connect()
    client.send(GET)
    server = lab.accept()
    server.expect(GET)
    server.send(OK)
    client.expect(OK)
    for peer in (client, server):
        peer.sock.close()
    return lab.record()


def begin_stream(lab):
    client = lab.connect()
    client.send(GET)
    server = lab.accept()
    server.expect(GET)
    server.send(EVENTS + CHUNK)
    client.expect(EVENTS + CHUNK)
    return client, server


def hours(bin_dir):
    """The monotonic clock goes on by an hour, six times, while a stream of events is silent."""
    clocks = Clocks(bin_dir)
    lab = start(bin_dir)
    client, server = begin_stream(lab)
    for hour in range(1, 7):
        idle = lab.connect()
        idle.send(GET)
        other = lab.accept()
        other.expect(GET)
        other.send(OK)
        idle.expect(OK)
        lab.record()
        clocks.set(hour * HOUR, hour * HOUR)
        exchange(lab)  # for which the loop wakes
        idle.expect_end("end")  # who waits without an exchange is timed out: the clock was seen
        other.sock.close()
        server.send(CHUNK)
        client.expect(CHUNK)
    server.send(b"0\r\n\r\n")
    client.expect(b"0\r\n\r\n")
    record = lab.record()
    require(record["error"] is None, f"the log says {record['error']}")
    require(record["duration_us"] > 6 * HOUR / 1000, "it did not last six hours")
    for peer in (client, server):
        peer.sock.close()
    lab.close()


def wall_clock(bin_dir):
    """The wall clock jumps by a year and back by two, within exchanges and between."""
    clocks = Clocks(bin_dir)
    lab = start(bin_dir, "--idle-timeout", "60", "--response-timeout", "60")
    idle = lab.connect()
    client, server = begin_stream(lab)
    for years in (1, -1, 0, -30):
        clocks.set(years * 365 * 24 * HOUR, 0)
        record = exchange(lab)
        require(record["error"] is None and record["duration_us"] < TIMEOUT * 10**6, f"{record}")
        server.send(CHUNK)
        client.expect(CHUNK)
    idle.expect_nothing()
    require(not idle.end, "an idle connection was timed out")
    server.send(b"0\r\n\r\n")
    client.expect(b"0\r\n\r\n")
    record = lab.record()
    require(record["error"] is None and record["duration_us"] < TIMEOUT * 10**6, f"{record}")
    for peer in (client, server, idle):
        peer.sock.close()
    lab.close()


def client_leaves(bin_dir):
    """By RST and by FIN; the best of five, for the machine may be slow."""
    lab = start(bin_dir)
    for leave in ("reset", "close"):
        took = []
        while not took or (min(took) >= 1 and len(took) < 5):
            client, server = begin_stream(lab)
            since = time.monotonic()
            if leave == "reset":
                client.reset()
            else:
                client.sock.close()
            server.expect_end("end")
            took.append(time.monotonic() - since)
            server.sock.close()
            lab.record()
        require(min(took) < 1, f"{leave}: the upstream was closed after {min(took)} s")
        print(f"{leave}: upstream closed after {1000 * min(took):.1f} ms")
    lab.close()


def send_until_blocked(peer, data):
    sent = 0
    peer.sock.setblocking(False)
    while select.select([], [peer.sock], [], BLOCKED)[1]:
        sent += peer.sock.send(data)
    peer.sock.setblocking(True)
    return sent


def slow_reader(bin_dir):
    """Events as fast as the proxy takes them, for a client that reads a little now and then."""
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
    lab = start(bin_dir)
    client, server = begin_stream(lab)
    before, most = status_of(lab.process.pid, "VmRSS"), 0
    for _ in range(5):
        sent = send_until_blocked(server, CHUNK)  # which writes whole chunks, or a part of the last
        grown = status_of(lab.process.pid, "VmRSS") - before
        most = max(most, grown)
        require(grown < MEMORY_MAX, f"{grown} KiB for events that are not read")
        client.read_more()
        taken, client.got = len(client.got), b""
        require(sent > 0 or taken > 0, "nothing goes on")
    client.reset()
    server.expect_end("end")
    require(lab.record()["error"] == "client_gone", "the log does not tell")
    server.sock.close()
    lab.close()
    print(f"{most} KiB at most")


def slowloris(bin_dir):
    """Heads that come a byte at a time never end; others are answered meanwhile."""
    lab = start(bin_dir, "--head-timeout", "2")
    slow = [lab.connect() for _ in range(SLOW_CLIENTS)]
    deadline = time.monotonic() + TIMEOUT
    open_ones = list(slow)
    for byte in GET[:-4]:
        for peer in open_ones:
            peer.send(bytes([byte]))
    while open_ones:
        require(time.monotonic() < deadline, f"{len(open_ones)} are still kept")
        for peer in list(open_ones):
            peer.send(b"x")
            peer.read_more(0.001)
            if peer.end or peer.got:
                require(not peer.got or b" 408 " in peer.got, f"answered {peer.got!r}")
                open_ones.remove(peer)
        others = lab.connect()
        others.send(GET)
        server = lab.accept()
        server.expect(GET)
        server.send(OK)
        others.expect(OK)
        for peer in (others, server):
            peer.sock.close()
    for peer in slow:
        peer.sock.close()
    lab.close()


def main():
    for name in sys.argv[2:]:
        try:
            globals()[name](sys.argv[1])
        except Failure as failure:
            sys.exit(f"FAILED {name}: {failure}")
        print(f"ok {name}")


main()
