"""A strict reader of what the programs say themselves, from RFC 9110 and RFC 9112 alone."""
import datetime
import json
import re

import cases  # finds the modules of tests/integration
from wire import Failure

STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) [\t\x20-\x7e\x80-\xff]*")
REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.1")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]?((?:[\x21-\x7e\x80-\xff]"
                   rb"(?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)")
HOP_BY_HOP = ("keep-alive", "te", "upgrade", "proxy-connection")
IMF_FIXDATE = "%a, %d %b %Y %H:%M:%S GMT"


class Message:
    """A message read off a peer, strictly; the peer keeps what follows it."""

    def __init__(self, peer, start_line, to_head=False):
        self.head = self.read_head(peer)
        lines = self.head.split(b"\r\n")[:-2]
        self.start = start_line.fullmatch(lines[0])
        if not self.start:
            raise Failure(f"not a start-line by RFC 9112: {lines[0]!r}")
        self.fields = {}
        for line in lines[1:]:
            self.add_field(line)
        self.trailer = b""
        self.content = self.read_content(peer, to_head)
        self.check_connection()

    def read_head(self, peer):
        while b"\r\n\r\n" not in peer.got and peer.read_more():
            pass
        head, end, peer.got = peer.got.partition(b"\r\n\r\n")
        if not end:
            raise Failure(f"no whole head, but {head!r}{' then ' + peer.end if peer.end else ''}")
        return head + end

    def add_field(self, line):
        field = FIELD.fullmatch(line)
        if not field:
            raise Failure(f"not a field line by RFC 9112, section 5: {line!r}")
        name = field[1].decode().lower()
        if name in self.fields:
            raise Failure(f"{name} stands twice: {self.head!r}")
        self.fields[name] = field[2].decode("latin-1")

    def read_content(self, peer, to_head):
        coding, length = self.fields.get("transfer-encoding"), self.fields.get("content-length")
        if coding is not None and length is not None:
            raise Failure(f"two framings: {self.head!r}")
        status = int(self.start[1]) if self.start[1].isdigit() else None
        if status and (status < 200 or status == 204) and (coding or length):
            raise Failure(f"framing in a {status}: {self.head!r}")
        if to_head or status and (status < 200 or status in (204, 304)):
            return b""
        if coding is not None:
            return self.read_chunks(peer)
        if length is None:
            return self.read_to_end(peer) if status else b""
        if not re.fullmatch(r"0|[1-9]\d*", length):
            raise Failure(f"Content-Length is {length!r}")
        return take(peer, int(length))

    def read_chunks(self, peer):
        if self.fields["transfer-encoding"].lower() != "chunked":
            raise Failure(f"an odd coding: {self.head!r}")
        content = b""
        while True:
            line = take_line(peer)
            if not re.fullmatch(rb"[0-9A-Fa-f]+", line):
                raise Failure(f"no chunk-size: {line!r}")
            size = int(line, 16)
            if size == 0:
                break
            content += take(peer, size)
            if take(peer, 2) != b"\r\n":
                raise Failure("a chunk without its CRLF")
        if take_line(peer):
            raise Failure("a trailer that nothing permits")
        return content

    def read_to_end(self, peer):
        while peer.read_more():
            pass
        got, peer.got = peer.got, b""
        return got

    def options(self):
        return [word.strip().lower() for word in self.fields.get("connection", "").split(",")
                if word.strip()]

    def check_connection(self):
        if "connection" in self.fields and len(self.options()) != \
                len(self.fields["connection"].split(",")):
            raise Failure(f"an empty member in Connection: {self.head!r}")
        for name in HOP_BY_HOP:
            if name in self.fields and name not in self.options():
                raise Failure(f"{name} is not named in Connection: {self.head!r}")
        for name in self.options():
            if name in self.fields and name not in HOP_BY_HOP:
                raise Failure(f"Connection names {name}, which is end-to-end: {self.head!r}")


class Response(Message):
    """One that a program made up itself."""

    def __init__(self, peer, to_head=False):
        super().__init__(peer, STATUS_LINE, to_head)
        self.status = int(self.start[1])
        if self.status >= 200:
            self.check_date()
        if self.status == 405 and "allow" not in self.fields:
            raise Failure(f"405 without Allow: {self.head!r}")
        if self.status == 401 and "www-authenticate" not in self.fields:
            raise Failure(f"401 without WWW-Authenticate: {self.head!r}")
        if self.status in (101, 407, 426):
            raise Failure(f"{self.status} is not this program's to send: {self.head!r}")

    def check_date(self):
        date = self.fields.get("date", "")
        try:
            parsed = datetime.datetime.strptime(date, IMF_FIXDATE)
        except ValueError:
            raise Failure(f"Date is {date!r}, no IMF-fixdate") from None
        if parsed.strftime(IMF_FIXDATE) != date:
            raise Failure(f"Date is {date!r}, no IMF-fixdate")


class Request(Message):
    def __init__(self, peer):
        super().__init__(peer, REQUEST_LINE)
        self.method, self.target = self.start[1].decode(), self.start[2].decode()


def take(peer, size):
    while len(peer.got) < size and peer.read_more():
        pass
    got, peer.got = peer.got[:size], peer.got[size:]
    if len(got) < size:
        raise Failure(f"{len(got)} of {size} bytes came: {got!r}")
    return got


def take_line(peer):
    while b"\r\n" not in peer.got and peer.read_more():
        pass
    line, end, peer.got = peer.got.partition(b"\r\n")
    if not end:
        raise Failure(f"a line does not end: {line!r}")
    return line


def check_own_answer(peer, status, word, to_head):
    """The proxy's own answer, which says that it is the last on this connection."""
    answer = Response(peer, to_head)
    if answer.status != status or status == 421:
        raise Failure(f"answered {answer.head!r}, expected {status}")
    if "close" not in answer.options():
        raise Failure(f"does not say that it closes: {answer.head!r}")
    if not to_head and json.loads(answer.content)["error"]["word"] != word:
        raise Failure(f"answered {answer.content!r}, expected {word}")
