"""From a capture of TLS and the agents' own keys: the same capture in plain text, which capdiff can
read, and how each connection began and ended. tshark decrypts; the proxy's keys are not asked for.
"""
import re
import subprocess
from typing import NamedTuple

from .packets import ACK, FIN, PSH, RST, SYN, Packet, write_packets
from .trouble import Trouble

PORTS = (8080, 8000)
FIELDS = ("frame.time_epoch", "ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "tcp.stream",
          "tcp.flags", "tcp.seq_raw", "tcp.ack_raw", "tcp.payload", "data.data",
          "tls.handshake.type", "tls.handshake.random", "tls.handshake.version",
          "tls.handshake.extensions.supported_version", "tls.alert_message.desc")
FLAGS = FIN | SYN | RST | PSH | ACK
CLIENT_HELLO, CLOSE_NOTIFY = "1", "0"
VERSIONS = {"0x0301": "TLS 1.0", "0x0302": "TLS 1.1", "0x0303": "TLS 1.2", "0x0304": "TLS 1.3"}
ALERTS = {"10": "unexpected_message", "40": "handshake_failure", "42": "bad_certificate",
          "46": "certificate_unknown", "47": "illegal_parameter", "48": "unknown_ca",
          "50": "decode_error", "51": "decrypt_error", "70": "protocol_version",
          "80": "internal_error", "86": "inappropriate_fallback", "116": "certificate_required"}


class Row(NamedTuple):
    """A packet, as tshark tells of it."""
    time: str
    source: str
    source_port: str
    target: str
    target_port: str
    stream: str
    flags: str
    seq: str
    ack: str
    wire: str
    plain: str
    handshake: str
    random: str
    version: str
    supported: str
    alert: str

    def packet(self, flags, seq, ack, payload):
        seconds, fraction = self.time.split(".")
        return Packet(int(seconds) * 10**9 + int(fraction.ljust(9, "0")),
                      (self.source, int(self.source_port)), (self.target, int(self.target_port)),
                      flags, seq & 0xffffffff, ack & 0xffffffff, payload)

    @property
    def from_server(self):
        return int(self.source_port) in PORTS


def ask_tshark(capture, keys):
    """Where a record ends there its bytes are told: nothing is put together beyond that."""
    words = ["tshark", "-n", "-r", capture, "-o", f"tls.keylog_file:{keys}",
             "-o", "tls.desegment_ssl_application_data:FALSE", "--disable-protocol", "http"]
    for port in PORTS:
        words += ["-d", f"tcp.port=={port},tls", "-d", f"tls.port=={port},data"]
    words += ["-Y", " or ".join(f"tcp.port == {port}" for port in PORTS)]
    words += ["-T", "fields", "-E", "occurrence=a"]
    for name in FIELDS:
        words += ["-e", name]
    try:
        done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, check=False,
                              capture_output=True, text=True)
    except OSError as error:
        raise Trouble("scenarios with TLS need tshark: run ./scripts/setup, or install it") from error
    if done.returncode != 0:
        raise Trouble(f"tshark cannot read {capture}: {done.stderr.strip().splitlines()[-1]}")
    return [Row(*line.split("\t")) for line in done.stdout.splitlines()]


def data(text):
    return bytes.fromhex(re.sub("[,:]", "", text))


def streams(rows):
    """Rows by connection, in the order in which these began."""
    found = {}
    for row in rows:
        found.setdefault(row.stream, []).append(row)
    return list(found.values())


def speaks_tls(rows):
    return any(row.wire.startswith("16") and not row.from_server for row in rows)


def as_plain(rows):
    """The packets of a connection; of TLS what was in it, with sequence numbers that fit that."""
    if not speaks_tls(rows):
        return [row.packet(int(row.flags, 16) & FLAGS, int(row.seq), int(row.ack), data(row.wire))
                for row in rows]
    ends = {side: Direction([row for row in rows if row.from_server == side]) for side in (False, True)}
    return [row.packet(*ends[row.from_server].place(row, ends[not row.from_server])) for row in rows]


class Direction:
    """What one end sends. A packet that was sent again brings nothing that is not there already."""

    def __init__(self, rows):
        syn = bool(rows) and bool(int(rows[0].flags, 16) & SYN)
        self.next = int(rows[0].seq) + syn if rows else 0
        self.end = self.next + sum(len(data(row.plain)) for row in rows)
        self.acked = self.next

    def place(self, row, other):
        """Flags, sequence number, acknowledgement, bytes."""
        flags, payload, seq = int(row.flags, 16) & FLAGS, data(row.plain), self.next
        self.next += len(payload)
        self.acked = max(self.acked, self.next)
        if flags & SYN:
            seq -= 1
        if flags & FIN:
            seq = self.end - len(payload)
            self.acked = self.end + 1
        return flags, seq, other.acked, payload


def hello_of(rows):
    """A ClientHello's random and the versions that it offers, the highest first; or None."""
    for row in rows:
        if CLIENT_HELLO in row.handshake.split(","):
            offered = row.supported or row.version
            versions = sorted({v for v in offered.split(",") if v in VERSIONS}, reverse=True)
            return {"random": row.random.split(",")[0], "versions": [VERSIONS[v] for v in versions]}
    return None


def alerts_of(rows):
    """[(whether it was the server who sent it, its name)], without close_notify."""
    return [(row.from_server, ALERTS.get(number, f"alert {number}"))
            for row in rows if row.alert for number in row.alert.split(",") if number != CLOSE_NOTIFY]


def make_plain(capture, keys, target):
    """Writes TARGET. For each connection whether it began with TLS, its hello and its alerts."""
    connections = streams(ask_tshark(capture, keys))
    packets = [packet for rows in connections for packet in as_plain(rows)]
    write_packets(target, sorted(packets, key=lambda packet: packet.time))
    return [{"port": next(port for port in PORTS
                          if str(port) in (rows[0].source_port, rows[0].target_port)),
             "tls": speaks_tls(rows), "hello": hello_of(rows), "alerts": alerts_of(rows)}
            for rows in connections]
