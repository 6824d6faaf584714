#!/usr/bin/env python3
"""Lets one side of mitm_proxy read slowly or not at all, while the other sends all it can.

usage: wire_pressure.py PROXY [-- proxy options]

What is sent must stop before memory grows, arrive whole once it is read, and end by a timeout when
it never is.
"""
import fcntl
import os
import random
import select
import socket
import sys
import threading

from wire import Failure, Lab, TIMEOUT

SIZE = 32 << 20
MEMORY_MAX = 8 << 10  # KiB that the proxy may grow by; one connection's buffers are below 1 MiB
BLOCKED = 0.5         # s in which a socket takes nothing: it is not being read, or not just now
DATA = random.Random(1).randbytes(1 << 20) * (SIZE >> 20)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % SIZE
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


def memory(lab):
    with open(f"/proc/{lab.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def send_until_blocked(peer, data):
    sent = 0
    peer.sock.setblocking(False)
    while sent < len(data) and select.select([], [peer.sock], [], BLOCKED)[1]:
        sent += peer.sock.send(data[sent:sent + (1 << 16)])
    peer.sock.setblocking(True)
    return sent


def send_until_answered(peer, data):
    """Or until the end. Whoever gave up before that might be the silent one."""
    data = memoryview(data)
    while data and not select.select([peer.sock], [], [], 0)[0]:
        if select.select([peer.sock], [peer.sock], [], TIMEOUT) == ([], [], []):
            raise Failure("neither read nor answered")
        try:
            data = data[peer.sock.send(data[:1 << 16], socket.MSG_DONTWAIT):]
        except BlockingIOError:
            continue
        except ConnectionError:
            return


def transfer(lab, sender, reader, before):
    """All of DATA, which READER begins to read only when SENDER is blocked."""
    sent = send_until_blocked(sender, DATA)
    if sent == SIZE:
        raise Failure("the sender was never blocked")
    if memory(lab) - before > MEMORY_MAX:
        raise Failure(f"{memory(lab) - before} KiB for what is not read")
    rest = threading.Thread(target=sender.sock.sendall, args=(DATA[sent:],))
    rest.start()
    got = bytearray(reader.got)
    reader.got = b""
    while len(got) < SIZE and reader.read_more():
        got += reader.got
        reader.got = b""
    rest.join()
    if got != DATA:
        raise Failure(f"{len(got)} of {SIZE} bytes came, or other ones")


def slow_readers(lab):
    client, before = lab.connect(), memory(lab)
    client.send(GET)
    server = lab.accept()
    server.expect(GET)
    server.send(OK % SIZE)
    client.expect(OK % SIZE)
    transfer(lab, server, client, before)
    client.send(POST)
    server.expect(POST)
    transfer(lab, client, server, before)
    server.send(OK % 0)
    client.expect(OK % 0)
    if [lab.record()["error"], lab.record()["error"]] != [None, None]:
        raise Failure("the log tells an error")


def slow_tunnel(lab):
    client, before = lab.connect(), memory(lab)
    client.send(UPGRADE)
    server = lab.accept()
    server.expect(UPGRADE)
    server.send(SWITCHED)
    client.expect(SWITCHED)
    transfer(lab, server, client, before)
    transfer(lab, client, server, before)
    client.finish()
    server.expect_end("fin")
    server.finish()
    client.expect_end("fin")
    tunnel = lab.record()["tunnel"]
    if [tunnel["request_bytes"], tunnel["response_bytes"]] != [SIZE, SIZE]:
        raise Failure(f"the log says {tunnel}")


def origin_that_never_reads(lab):
    client = lab.connect()
    client.send(POST)
    server = lab.accept()
    send_until_answered(client, DATA)
    client.expect_refusal(504, "upstream_timeout")
    server.sock.close()


def client_that_never_reads(lab):
    client = lab.connect()
    client.send(GET)
    server = lab.accept()
    server.expect(GET)
    server.send(OK % SIZE)
    send_until_answered(server, DATA)
    server.expect_end("end")
    if lab.record()["error"] != "client_gone":
        raise Failure("the log does not tell who was silent")
    client.sock.close()


def pipeline_without_answers(lab):
    client, before = lab.connect(), memory(lab)
    if send_until_blocked(client, GET * (SIZE // len(GET))) > SIZE // 2:
        raise Failure("the sender was never blocked")
    if memory(lab) - before > MEMORY_MAX:
        raise Failure(f"{memory(lab) - before} KiB for requests that are not answered")
    client.reset()
    lab.accept().sock.close()


def stdout_that_nobody_reads(lab):
    """A pipe with room for one page gets more than that at once, is emptied, and gets it again."""
    fcntl.fcntl(lab.process.stdout, fcntl.F_SETPIPE_SZ, 4096)
    client = lab.connect()
    server = None
    for i in range(10):
        get = GET.replace(b"/ ", b"/%s " % (b"x" * i))  # the page is filled to various degrees
        for count in (60, 1):
            client.send(get * count)
            server = server or lab.accept()
            server.expect(get * count)
            server.send(OK % 0 * count)
            client.expect(OK % 0 * count)
        os.read(lab.process.stdout.fileno(), 4096)
    client.sock.close()
    server.sock.close()


CASES = [
    (stdout_that_nobody_reads, []),
    (slow_readers, ["--idle-timeout", "60"]),
    (slow_tunnel, ["--idle-timeout", "60"]),
    (origin_that_never_reads, ["--idle-timeout", "1"]),
    (client_that_never_reads, ["--idle-timeout", "1"]),
    (pipeline_without_answers, ["--drain-timeout", "0"]),
]


def main():
    words, options = sys.argv[1:], []
    if "--" in words:
        options = words[words.index("--") + 1:]
        words = words[:words.index("--")]
    # What a sanitizer keeps of freed memory would count as the proxy's.
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
    failed = 0
    for run, own in CASES:
        lab = Lab(words[0], own + options, False)
        try:
            run(lab)
        except Failure as failure:
            failed += 1
            print(f"FAILED {run.__name__}: {failure}")
        try:
            lab.close()
        except Failure as failure:
            failed += 1
            print(f"FAILED {run.__name__}: {failure}")
    print(f"{len(CASES) - failed} of {len(CASES)} cases passed")
    sys.exit(1 if failed else 0)


main()
