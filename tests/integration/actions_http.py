"""What the tests of rule actions know of HTTP/1.1 messages: their content, and how it is framed.

A reader of its own, from RFC 9112 alone, so that nothing of the proxy judges the proxy.
"""
import hashlib
import re

from wire import Failure

SIZE_LINE = re.compile(rb"([0-9A-Fa-f]+)([^\r\n]*)\r\n")
EMPTY_STATUS = re.compile(rb"HTTP/1\.[01] (204|304)")


class Dechunk:
    """A chunked body as it comes: what was fed, chunk by chunk."""

    def __init__(self):
        self.raw = b""
        self.content = b""
        self.chunks = []  # of the whole ones: (extension, data, the chunk's bytes)
        self.trailer = None  # bytes from the last chunk's size line to the end
        self.partial = b""  # data of a chunk that is not whole

    def feed(self, data):
        """Takes what belongs to the body and returns what comes after it."""
        self.raw += data
        while self.trailer is None and self.take_chunk():
            pass
        left, self.raw = (self.raw, b"") if self.trailer is not None else (b"", self.raw)
        return left

    def take_chunk(self):
        line = SIZE_LINE.match(self.raw)
        if not line:
            if b"\n" in self.raw:
                raise Failure(f"no chunk: {self.raw!r}")
            return False
        size = int(line[1], 16)
        if size == 0:
            return self.take_trailer()
        end = line.end() + size
        self.partial = self.raw[line.end():end]
        if len(self.raw) < end + 2:
            return False
        if self.raw[end:end + 2] != b"\r\n":
            raise Failure(f"a chunk of {size} bytes does not end: {self.raw!r}")
        self.chunks.append((line[2], self.partial, self.raw[:end + 2]))
        self.content += self.partial
        self.partial, self.raw = b"", self.raw[end + 2:]
        return True

    def take_trailer(self):
        end = re.search(rb"\r\n(?=\r\n)", self.raw)
        if not end:
            return False
        self.trailer, self.raw = self.raw[:end.end() + 2], self.raw[end.end() + 2:]
        return False


class Message:
    """One whole message: its head, and its content by the framing that the head declares."""

    def __init__(self, raw, to_head=False):
        self.raw = raw
        head, line, body = raw.partition(b"\r\n\r\n")
        self.head = head + line
        if not line:
            raise Failure(f"no whole head: {raw!r}")
        self.framing, self.dechunk = "close", None
        coding, length = self.field(b"transfer-encoding"), self.field(b"content-length")
        if to_head or EMPTY_STATUS.match(head):
            self.framing, rest, self.content = "none", body, b""
        elif coding is not None:
            self.framing, self.dechunk = "chunked", Dechunk()
            rest = self.dechunk.feed(body)
            self.content = self.dechunk.content + self.dechunk.partial
        elif length is not None:
            self.framing, rest = "length", body[int(length):]
            self.content = body[:int(length)]
        elif raw.startswith(b"HTTP/"):
            rest, self.content = b"", body
        else:
            self.framing, rest, self.content = "none", body, b""
        if rest:
            raise Failure(f"more than one message: {rest!r}")

    def field(self, name):
        found = re.search(rb"\r\n%s:[ \t]*([^\r]*?)[ \t]*\r\n" % re.escape(name), self.head, re.I)
        return found[1] if found else None

    def whole(self):
        """False while bytes are to come; what ends with the connection is never known to be whole."""
        if self.dechunk:
            return self.dechunk.trailer is not None
        return self.framing != "length" or len(self.content) == int(self.field(b"content-length"))


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def as_chunked(raw, sizes, extension=b"", trailer=b""):
    """The same message with its Content-Length turned into chunks of SIZES, over and over."""
    message = Message(raw)
    head, count = re.subn(rb"(?i)\r\ncontent-length:[^\r]*", b"\r\nTransfer-Encoding: chunked",
                          message.head)
    if count != 1:
        raise Failure(f"has no one Content-Length: {message.head!r}")
    out, at, n = head, 0, 0
    while at < len(message.content):
        piece = message.content[at:at + sizes[n % len(sizes)]]
        out += b"%x%s\r\n%s\r\n" % (len(piece), extension if n % 2 else b"", piece)
        at, n = at + len(piece), n + 1
    return out + b"0%s\r\n%s\r\n" % (extension, trailer)


def as_closed(raw):
    """The same response, which ends with its connection."""
    message = Message(raw)
    return re.sub(rb"(?i)\r\ncontent-length:[^\r]*", b"", message.head) + message.content


def changed_range(old, new):
    """Where OLD differs from NEW, widened to whole JSON values as far as bytes show them."""
    start, limit = 0, min(len(old), len(new))
    while start < limit and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < limit - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    end = len(old) - tail
    while start > 0 and old[start - 1:start] not in (b"{", b"[", b",", b":"):
        start -= 1
    while end < len(old) and old[end:end + 1] not in (b"}", b"]", b",", b":"):
        end += 1
    return max(start - 1, 0), min(end + 1, len(old))


def check_chunks_kept(sent, got, changed=None):
    """Chunks of SENT that lie wholly outside of what changed are in GOT as they were."""
    start, end = changed or changed_range(sent.content, got.content)
    at = 0
    chunks = sent.dechunk.chunks
    for n, (_, data, raw) in enumerate(chunks):
        before, at = at, at + len(data)
        if at < start and got.dechunk.chunks[n][2] != raw:
            raise Failure(f"a chunk before the change was not kept: {raw!r}")
        if before > end and got.dechunk.chunks[n - len(chunks)][2] != raw:
            raise Failure(f"a chunk behind the change was not kept: {raw!r}")
    if got.dechunk.trailer != sent.dechunk.trailer:
        raise Failure(f"the trailer {sent.dechunk.trailer!r} became {got.dechunk.trailer!r}")
