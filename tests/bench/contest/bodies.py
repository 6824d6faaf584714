"""How fast one large body goes through a proxy, either way, and what memory it takes."""
import hashlib
import json
import os
import socket
import struct
import sys
import threading
import time

from . import contestants, measure, report

TITLE = "One large body"
ABOUT = (
    "A body of {mib:,} MiB as one message, downloaded from nginx's sendfile or uploaded to a sink. "
    "Both ends throw bytes away unread, so that the proxy is what takes the time. Ours digests what "
    "it forwards (SHA-256, as the log says), and its payload capture has the bytes of both legs: a "
    "file twice as large as the body. It is held to nginx as it comes, or without buffering, whichever "
    "is faster; with larger buffers nginx downloads faster still. Before each trial, whoever's it is, a file "
    "of the capture's size is written and removed: a virtual machine may have to get such memory from its "
    "host first. Memory is the peak's growth over what was resident before the body.")
TUNED = {
    "nginx, not buffering": contestants.nginx(more="proxy_buffering off;"),
    "nginx, buffers of 64 KiB": contestants.nginx(
        more="proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;"),
}
NGINX = ("nginx", "nginx, not buffering")  # ours is held to the better one
NAMES = ("nginx", *TUNED, "HAProxy", "ours, bare", "ours, log", "ours, log + payload")
RECORDED = "ours, log + payload"
LEAST_RATIO, MOST_MIB = 0.9, 4
WAYS = ("download", "upload")
CHUNK, TIMEOUT = 1 << 20, 120
SMALL = 1 << 16
PACKET_BLOCK = 6  # pcapng's Enhanced Packet Block


def read_head(sock):
    """A head and no byte behind it; the size of its content."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            return None
        head += byte
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


def throw_away(sock, size, buffer):
    """The kernel does not even copy it."""
    while size > 0:
        got = sock.recv_into(buffer, min(size, len(buffer)), socket.MSG_TRUNC)
        if not got:
            raise SystemExit("a body ended early")
        size -= got


class Sink:
    """An origin that takes a body, says how long it was, and keeps nothing."""

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            threading.Thread(target=self.serve, args=(self.listening.accept()[0],), daemon=True).start()

    @staticmethod
    def serve(sock):
        buffer = bytearray(CHUNK)
        with sock:
            while (size := read_head(sock)) is not None:
                throw_away(sock, size, buffer)
                text = str(size).encode()
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))


def download(sock, size):
    sock.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: origin\r\n\r\n" % size)
    if read_head(sock) != size:
        raise SystemExit("this is not the body that was asked for")
    throw_away(sock, size, bytearray(CHUNK))


def upload(sock, size, path):
    sock.sendall(b"POST /sink HTTP/1.1\r\nHost: origin\r\nContent-Length: %d\r\n\r\n" % size)
    with open(path, "rb") as file:
        sock.sendfile(file, 0, size)
    answer = sock.recv(read_head(sock), socket.MSG_WAITALL)
    if answer != str(size).encode():
        raise SystemExit(f"the sink had {answer.decode()} bytes, and not {size}")


class Bodies:
    """Files of the same bytes in any size, which nginx serves; and the sink."""

    def __init__(self, origin, sizes):
        self.folder = os.path.join(os.path.dirname(origin.log), "bytes")
        self.ports = {"download": origin.port, "upload": Sink().port}
        self.digests, block = {}, os.urandom(CHUNK)
        os.makedirs(self.folder, exist_ok=True)
        for size in sizes:
            digest = hashlib.sha256()
            with open(self.path(size), "wb") as file:
                for done in range(0, size, CHUNK):
                    some = block[:size - done]
                    digest.update(some)
                    file.write(some)
            self.digests[size] = digest.hexdigest()

    def path(self, size):
        return os.path.join(self.folder, str(size))

    def send(self, sock, way, size):
        if way == "download":
            download(sock, size)
        else:
            upload(sock, size, self.path(size))


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def captured(path):
    """Bytes of content of the TCP segments in a payload capture: pcapng, raw IPv4."""
    total, at, size = 0, 0, os.path.getsize(path)
    with open(path, "rb") as file:
        while at < size:
            file.seek(at)
            block = file.read(28 + 40)
            kind, length = struct.unpack_from("<II", block)
            if kind == PACKET_BLOCK:
                kept, packet = struct.unpack_from("<I", block, 20)[0], block[28:]
                ip = (packet[0] & 15) * 4
                total += kept - ip - (packet[ip + 12] >> 4) * 4
            at += length
    return total


def check_recorded(room, way, size, digest):
    """The log has the body's size and digest, and the capture all bytes of both legs."""
    with open(os.path.join(room, "exchanges.ndjson"), encoding="utf-8") as log:
        record = json.loads(log.readlines()[-1])
    side = "response" if way == "download" else "request"
    if (record[side + "_bytes"], record[side + "_sha256"]) != (size, digest):
        sys.exit(f"the log has another body: {record}")
    capture = os.path.join(room, "proxy.pcap")
    if os.path.exists(capture) and captured(capture) < 2 * size:
        sys.exit(f"the capture has {captured(capture)} bytes of two legs with {size} each")


def warm(folder, size):
    """So much of the page cache has been in use lately."""
    path, block = os.path.join(folder, "warm"), bytes(CHUNK)
    with open(path, "wb") as file:
        for _ in range(0, size, CHUNK):
            file.write(block)
    os.remove(path)


def trial(ground, bodies, name, way, size):
    warm(ground.folder, 2 * size)
    with ground.standing(TUNED.get(name, name), bodies.ports[way]) as (program, room):
        with connect(program.port) as sock:
            bodies.send(sock, way, SMALL)
            before, used = measure.memory_kib(program.pid), measure.cpu_us(program.pid)
            began = time.monotonic()
            bodies.send(sock, way, size)
            seconds = time.monotonic() - began
            result = {"mib_s": size / seconds / (1 << 20),
                      "cpu_ms": (measure.cpu_us(program.pid) - used) / 1000,
                      "grown_mib": (measure.memory_kib(program.pid, "VmHWM") - before) / 1024}
        program.stop()
        if "log" in name:
            check_recorded(room, way, size, bodies.digests[size])
    return result


def aims(medians):
    for way in WAYS:
        theirs = {name: medians[name, way]["mib_s"] for name in NGINX if (name, way) in medians}
        if theirs and (RECORDED, way) in medians:
            best = max(theirs, key=theirs.get)
            yield report.aim(f"throughput of a large {way}, all recorded", best,
                             medians[RECORDED, way]["mib_s"] / theirs[best], LEAST_RATIO, "", 2, least=True)
            yield report.aim(f"memory that a large {way} adds, all recorded", "",
                             medians[RECORDED, way]["grown_mib"], MOST_MIB, "MiB", 1)


def part(ground):
    names, results, size = ground.able(NAMES), {}, ground.options.mib << 20
    with ground.origin() as origin:
        bodies = Bodies(origin, (SMALL, size))
        for order in ground.rounds(names):
            for name in order:
                for way in WAYS:
                    results.setdefault((name, way), []).append(trial(ground, bodies, name, way, size))
    medians = {key: {field: report.median(found, field) for field in found[0]} for key, found in results.items()}
    rows = [[f"{name}: {way}", *medians[name, way].values()] for way in WAYS for name in names]
    return report.part(TITLE, ABOUT.format(mib=ground.options.mib), ground.how(),
                       [("MiB/s", 0), ("CPU ms", 0), ("memory, MiB more", 1)], rows, list(aims(medians)),
                       {"title": "Throughput of one large body", "column": 1, "from": None, "unit": "MiB/s"})
