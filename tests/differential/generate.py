"""Streams of requests, from a seed: valid ones, odd ones, and what a mutation makes of these.

A stream is what one client sends over one connection. Its parts are meant as a request each; bodies
often look like requests, and requests follow what is odd, so that a reader that loses its place
finds something to read there.
"""
import random

METHODS = [b"GET", b"GET", b"GET", b"HEAD", b"POST", b"POST", b"POST", b"PUT", b"DELETE", b"OPTIONS",
           b"PATCH", b"TRACE", b"PROPFIND", b"get", b"FOO", b"QUERY", b"G-T", b"PRI", b"CONNECT"]
FIELDS = [
    b"X-A: 1", b"x-a:2", b"X-A:  a  b \t", b"Accept: */*", b"Cookie: a=b; c=d", b"X:", b"X-High: \xed\x95\x9c",
    b"X-High: \xff\x80", b"Content-Type: application/json", b"Connection: keep-alive",
    b"Connection: Host, Content-Length", b"Connection: Transfer-Encoding, TE", b"TE: trailers",
    b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: foo/2, bar", b"Expect: 100-continue",
    b"Expect: something", b"Range: bytes=0-1", b"If-None-Match: *", b"Content-Encoding: gzip",
    b"Trailer: X-T", b"Max-Forwards: 0", b"Proxy-Connection: keep-alive", b"Keep-Alive: timeout=1",
    b"X-Forwarded-For: 1.2.3.4", b"X-HTTP-Method-Override: DELETE", b"Authorization: Basic eDp5",
    b"Content_Length: 5", b"Content-Length_: 5", b"Transfer_Encoding: chunked", b"X-Content-Length: 7",
    b"Connection: close, x", b"connection:CLOSE", b"Connection: x,,keep-alive", b"Pragma:no-cache",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"]
# A field or more in the place of a good Content-Length or Transfer-Encoding; %d is the length.
ODD_FRAMING = [
    b"Content-Length: %d\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: %d",
    b"Content-Length: %d\r\nContent-Length: %d", b"Content-Length: %d\r\nContent-Length: 0",
    b"Content-Length: 0%d",
    b"Content-Length: +%d", b"Content-Length: -%d", b"Content-Length: %d,%d", b"Content-Length: %d, 0",
    b"Content-Length: %d\t", b"Content-Length:\t%d", b"Content-Length:%d", b"Content-Length : %d",
    b"Content-Length: %d ", b"Content-Length:  %d", b"Content-Length: 0x%d", b"Content-Length: %d.0",
    b"Content-Length:\r\n %d", b"Content-Length: %d\r\n ", b"Content-Length: \x0b%d", b"Content-Length: %d\x0c",
    b"Content-Length: 4294967296", b"Content-Length: 18446744073709551616",
    b"Content-Length: 9223372036854775808",
    b"Content-Length:", b"Content-Length: x", b"Content-Length: %d;q=1", b"content-length: %d",
    b"CONTENT-LENGTH: %d",
    b"Content-Length\x00: %d", b"Content-Length: %d\x00", b"\x00Content-Length: %d", b" Content-Length: %d",
    b"X: y\rContent-Length: %d", b"X: y\nContent-Length: %d", b"Content\tLength: %d", b"Content-Length\xa0: %d",
    b"Transfer-Encoding : chunked", b"Transfer-Encoding:chunked", b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding: chunked ", b"Transfer-Encoding: chunked\t", b"Transfer-Encoding: CHUNKED",
    b"Transfer-Encoding: Chunked", b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunkedx",
    b"Transfer-Encoding: x, chunked", b"Transfer-Encoding: chunked, x", b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: identity, chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: , chunked", b"Transfer-Encoding: chunked,", b"Transfer-Encoding: \"chunked\"",
    b"Transfer-Encoding: 'chunked'", b"Transfer-Encoding: chunked;q=1", b"Transfer-Encoding: chunked; a=b",
    b"Transfer-Encoding:", b"Transfer-Encoding: ", b"Transfer-Encoding\x00: chunked",
    b"Transfer-Encoding: chunked\x00",
    b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: chunked\x0b", b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding:\r\n\tchunked", b"Transfer-Encoding\r\n: chunked",
    b"X: y\r\n Transfer-Encoding: chunked",
    b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked", b" Transfer-Encoding: chunked",
    b"\tTransfer-Encoding: chunked", b"\xa0Transfer-Encoding: chunked", b"transfer-encoding: chunked",
    b"TRANSFER-ENCODING: chunked", b"Transfer_Encoding: chunked", b"Transfer Encoding: chunked",
    b"Transfer-Encoding: chun\r\n ked", b"Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding",
    b"Content-Length: %d\r\nConnection: Content-Length", b"Transfer-Encoding; chunked",
    b"Transfer-Encoding chunked",
    b"Content-Length: %d\r\nTransfer-Encoding: identity", b"Content-Length: %d\r\nTransfer-Encoding:",
    b"Content-Length: %d\r\nTransfer-Encoding: x", b"Transfer-\xc4\xb0ncoding: chunked",
    b"X:\x00\r\nTransfer-Encoding: chunked"]
# The line before a chunk: %x is its size.
SIZES = [
    [b"%x\r\n"], [b"%x\r\n", b"%X\r\n", b"00%x\r\n"], [b"%x\r\n", b"%x;a=b\r\n", b'%x;q="a b"\r\n']]
ODD_SIZES = [
    b"0x%x\r\n", b"+%x\r\n", b"-%x\r\n", b" %x\r\n", b"%x \r\n", b"%x\t\r\n", b"%x\n", b"%x\r", b"%x\r\r\n",
    b"%x\n\r\n",
    b"%x;\r\n", b"%x;a\r\n", b"%x;a=\r\n", b"%x;a=\"b;\r\n", b"%x;a=\"\\\"\"\r\n", b"%x;a=\"\n\"\r\n",
    b"%x;a\rb\r\n",
    b"%x;a\nb\r\n", b"%x;\n\r\n", b"%x; a\r\n", b"%x ;a\r\n", b"%x;a =b\r\n", b"%x;a= b\r\n", b"%x;\x00\r\n",
    b"%x;\xff\r\n",
    b"%x a\r\n", b"%x,\r\n", b"%x=\r\n", b"%xg\r\n", b"%x_\r\n", b"0_%x\r\n", b"00000000%x\r\n",
    b"0000000000000000000%x\r\n",
    b"1000000000000000%x\r\n", b"10000000%x\r\n", b"\r\n", b";a\r\n", b"\x00%x\r\n", b"%x\x00\r\n",
    b"%x\x0b\r\n",
    b"\r\n%x\r\n", b"\n%x\r\n", b"%X\r\n", b"%x;" + b"e" * 3000 + b"\r\n", b"%x;" + b"e" * 17000 + b"\r\n"]
ODD_ENDS = [b"\n", b"\r", b"", b"\r\r\n", b"\n\r\n", b"x\r\n", b" \r\n", b"\n\n", b"\x00\r\n"]
ODD_LAST = [
    b"0\r\n\r\n", b"0\n\r\n", b"0\r\n\n", b"0\n\n", b"00\r\n\r\n", b"000000000000000000000\r\n\r\n",
    b"0;a\r\n\r\n", b"0 \r\n\r\n",
    b"0\r\nX-T: 1\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"0\r\nX-T : 1\r\n\r\n",
    b"0\r\n X-T: 1\r\n\r\n", b"0\r\nX-T: 1\r\n 2\r\n\r\n", b"0\r\nX-T: 1\n\r\n", b"0\r\nX-T\r\n\r\n",
    b"0\r\n: 1\r\n\r\n",
    b"0\r\nHost: b\r\nX-T: 1\r\n\r\n", b"0\r\n\r\n\r\n", b"0\r\n\rX", b"-0\r\n\r\n", b"0x0\r\n\r\n",
    b"0\r\nX-T: \x00\r\n\r\n",
    b"0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", b"0\r\nX-T: " + b"v" * 9000 + b"\r\n\r\n", b"0\r\n",
    b"\r\n", b""]
ODD_HOSTS = [
    b"", b"Host: a\r\nHost: b\r\n", b"Host: a\r\nHost: a\r\n", b"Host:\r\n", b"Host: a b\r\n",
    b"Host : a\r\n", b" Host: a\r\n",
    b"Host: a,b\r\n", b"Host: a:\r\n", b"Host: a:80\r\n", b"Host: a:x\r\n", b"Host: [::1]:1\r\n",
    b"Host: u@a\r\n", b"Host: a/b\r\n",
    b"Host: a\x00b\r\n", b"Host: a\r\n b\r\n", b"host:a\r\n", b"Host: \xed\x95\x9c\r\n",
    b"Host: a\rX: b\r\n", b"Host: A..b-_%41\r\n",
    b"X: y\nHost: a\r\n", b"Host: " + b"a" * 300 + b"\r\n", b"\r\nHost: a\r\n", b"Host; a\r\n"]
VERSIONS = [b"HTTP/1.0", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/01.1",
            b"HTTP/1.01", b"HTTP/1.1 ",
            b"http/1.1", b"HTTP/1", b"HTTP/11", b"", b"HTTP /1.1", b"HTTP/1.1\x00", b"ICE/1.0",
            b"HTTP/1.1\t", b"HTTPS/1.1"]
ALPHABET = [b"\r", b"\n", b"\r\n", b"\x00", b" ", b"\t", b"\x0b", b"\x7f", b"\x80", b"\xff", b":", b";", b",", b"0", b"1", b"f",
            b"-", b"+", b"_", b"\"", b"\\", b"/", b"?", b"#", b"%", b"%0a", b"%00", b"\r\n\r\n", b"\xa0",
            b"\x85", b"\xc4\x8a", b"{"]


# @@ is what the request is known by.
TARGETS = [
    b"http://a/@@", b"HTTP://a:80/@@", b"/@@?q=1&r=%20", b"/@@?a?b", b"/@@/%2e%2e/x", b"/@@//x",
    b"/@@/a:b;c@d!$&'()*+,=~", b"//@@", b"/@@%0d%0a", b"/@@/../x"]
ODD_TARGETS = [
    b"*", b"a:80", b"/@@#f", b"/@@\xed\x95\x9c", b"/@@\xff", b"/@@{}|^`<>\"", b"/@@\x00", b"/@@\x7f", b"/@@\t",
    b"/@@ x", b"@@", b"http://u@a/@@", b"http:///@@", b"http:/@@", b"https://a/@@", b"http://b/@@", b"http://a?@@",
    b"http://a", b"/@@%", b"/@@%zz", b"/@@\\x", b"/@@/" + b"t" * 5000, b"/@@/" + b"t" * 9000, b"", b"?@@",
    b"/@@%00", b"ftp://a/@@"]


class Stream:
    """The parts, how they are cut into writes, and how the client behaves."""

    def __init__(self, parts, cuts, manner, name=""):
        self.parts = parts    # bytes; they are sent one behind the other
        self.cuts = cuts      # seed of the places where a write ends, None: all by one write
        self.manner = manner  # "wait": until the other side ends; "fin": at once; "reset": instead of the end
        self.name = name

    def bytes(self):
        return b"".join(self.parts)

    def writes(self):
        data = self.bytes()
        if self.cuts is None:
            return [data]
        rng = random.Random(self.cuts)
        step = rng.choice([1, 3, 30, 300, 3000])
        if len(data) > 300 * step:
            step = len(data) // 100
        at, pieces = 0, []
        while at < len(data):
            size = rng.randrange(1, 2 * step)
            pieces.append(data[at:at + size])
            at += size
        return pieces

    def as_dict(self):
        return {"name": self.name, "manner": self.manner, "cuts": self.cuts,
                "parts": [part.decode("latin-1") for part in self.parts]}

    @classmethod
    def from_dict(cls, data):
        return cls([part.encode("latin-1") for part in data["parts"]], data["cuts"], data["manner"],
                   data["name"])


def some(rng, chance):
    return rng.random() < chance


def target(rng, marker, odd):
    plain = b"/" + marker
    if some(rng, 0.7):
        return plain + (b"/early" if some(rng, 0.08) else b"")
    return rng.choice(TARGETS + ODD_TARGETS if odd else TARGETS).replace(b"@@", marker)


def content(rng, marker):
    kind = rng.randrange(7)
    if kind < 3:
        return b"GET /smuggled-" + marker + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    if kind == 3:
        return b"0\r\n\r\nGET /smuggled-" + marker + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    if kind == 4:
        return b""
    if kind == 5:
        return rng.randbytes(rng.choice([1, 2, 100, 5000, 70000]))
    return b'{"id":1}'


def chunked(rng, data, odd):
    out, at = b"", 0
    odd_at = rng.randrange(3) if odd else -1
    forms = rng.choice(SIZES)
    while at < len(data):
        size = rng.choice([1, 2, 10, 100, 10000])
        if len(data) > 1000:
            size = 10000
        piece = data[at:at + size]
        at += size
        form = rng.choice(forms)
        if odd_at == 0 and some(rng, 0.5):
            form = rng.choice(ODD_SIZES)
        length = len(piece) + (rng.choice([-1, 1, 2, -2, 16]) if odd_at == 0 and some(rng, 0.15) else 0)
        end = rng.choice(ODD_ENDS) if odd_at == 1 and some(rng, 0.5) else b"\r\n"
        out += (form % max(length, 0) if b"%" in form else form) + piece + end
    last = rng.choice([b"0\r\n\r\n"] * 5 + [b"0\r\nX-T: 1\r\n\r\n", b"000\r\n\r\n", b"0;a=b\r\nx-t:\r\n\r\n"])
    return out + (rng.choice(ODD_LAST) if odd_at == 2 else last)


def framed(rng, method, data, odd):
    """The framing's fields, each with its line end, and the body in that framing."""
    if odd == "framing":
        fields = rng.choice(ODD_FRAMING)
        count = fields.count(b"%d")
        body = data if some(rng, 0.5) else chunked(rng, data, False)
        return fields % ((len(body),) * count) + b"\r\n" if count else fields + b"\r\n", body
    if odd == "chunks":
        return b"Transfer-Encoding: chunked\r\n", chunked(rng, data or b"some", True)
    if method in (b"GET", b"HEAD", b"DELETE", b"TRACE", b"get") and some(rng, 0.75):
        return b"", b""
    if method != b"GET" and some(rng, 0.1):
        return b"", b""
    if some(rng, 0.5):
        return b"Transfer-Encoding: chunked\r\n", chunked(rng, data, False)
    return b"Content-Length: %d\r\n" % len(data), data


def shuffled_head(rng, host, framing, fields):
    lines = [host, framing, *fields]
    if some(rng, 0.5):
        rng.shuffle(lines)
    return b"".join(lines)


def request(rng, marker, odd):
    """ODD is None for a valid request, or what is wrong with it."""
    method = rng.choice(METHODS if odd == "line" else METHODS[:11])
    version = rng.choice(VERSIONS) if odd == "line" and some(rng, 0.4) else b"HTTP/1.1"
    if not odd and some(rng, 0.04):
        version = b"HTTP/1.0"
    line = b" ".join([method, target(rng, marker, odd == "line"), version])
    if odd == "line" and some(rng, 0.2):
        line = rng.choice([b" ", b"\r\n", b"\r\n\r\n", b"\n", b"\x00", b"\t", b"\r"]) + line
    if odd == "line" and some(rng, 0.1):
        line = line.replace(b" ", rng.choice([b"  ", b"\t", b" \t", b"\x0b", b"\r"]), rng.randrange(1, 3))
    framing, body = framed(rng, method, content(rng, marker), odd)
    count = rng.choice([0, 1, 2, 3]) if some(rng, 0.97) else rng.choice([90, 120, 300])
    chosen = FIELDS if odd == "fields" or some(rng, 0.1) else FIELDS[:10]
    fields = [rng.choice(chosen) + b"\r\n" for _ in range(count)]
    if some(rng, 0.02):
        fields.append(b"X-Long: " + b"v" * rng.choice([4000, 8180, 9000, 17000, 40000, 66000]) + b"\r\n")
    host = rng.choice(ODD_HOSTS) if odd == "host" else b"Host: a\r\n"
    end = rng.choice([b"\n", b"\r\n\n", b"\r", b" \r\n\r\n"]) if odd == "line" and some(rng, 0.1) else b"\r\n"
    eol = rng.choice([b"\n", b"\r", b"\r\r\n"]) if odd == "line" and some(rng, 0.1) else b"\r\n"
    return line + eol + shuffled_head(rng, host, framing, fields) + end + body


def mutated(rng, data):
    """Some bytes of the head, or of what comes soon after, are changed."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        limit = min(len(data), data.find(b"\r\n\r\n") % 3000 + 60)
        at = rng.randrange(max(limit, 1))
        kind = rng.randrange(6)
        if kind == 0:
            data = data[:at] + rng.choice(ALPHABET) + data[at:]
        elif kind == 1:
            data = data[:at] + data[at + rng.randrange(1, 4):]
        elif kind == 2:
            data = data[:at] + rng.choice(ALPHABET) + data[at + 1:]
        elif kind == 3:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1:]
        elif kind == 4:
            end = at + rng.randrange(1, 40)
            data = data[:end] + data[at:end] + data[end:]
        else:
            lines = data.split(b"\r\n")
            i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[i]
            data = b"\r\n".join(lines)
    return data


ODDITIES = ["framing", "framing", "framing", "chunks", "chunks", "line", "host", "fields", "mutated", "mutated",
            "mutated odd", "mutated odd", "cut", "nothing"]


def stream(seed, number):
    rng = random.Random(f"{seed} {number}")
    parts = []
    odd = rng.choice(ODDITIES)
    odd_at = rng.choice([0, 0, 1, 1, 2, 3])
    for i in range(odd_at + rng.randrange(1, 4)):
        marker = b"s%d-%d" % (number, i)
        if i != odd_at or odd == "nothing":
            parts.append(request(rng, marker, None))
        elif odd == "cut":
            whole = request(rng, marker, None)
            parts.append(whole[:rng.randrange(len(whole))])
            break
        elif odd == "mutated":
            parts.append(mutated(rng, request(rng, marker, None)))
        elif odd == "mutated odd":
            kind = rng.choice(["framing", "chunks", "line", "fields"])
            parts.append(mutated(rng, request(rng, marker, kind)))
        else:
            parts.append(request(rng, marker, odd))
    if odd != "cut":
        parts.append(b"GET /s%d-last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % number)
    manner = rng.choices(["wait", "fin", "reset"], [90, 6, 4])[0]
    return Stream(parts, rng.choice([None, rng.random()]), manner, f"{seed}/{number}")
