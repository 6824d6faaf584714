"""One exchange that rules change, done in several ways which must all come to the same.

See actions.py for how a case of this kind is written.
"""
import json
import re

from actions_http import Dechunk, Message, as_chunked, as_closed, check_chunks_kept
from actions_record import check_body, check_body_changes, check_record, without_framing
from wire import Failure

SIZES = (1, 3, 7, 20)
EXTENSION = b';a="b;c"'
TRAILER = b"X-Sum:  1\r\nx-sum: 2\r\n"
CLIENTS = 4


class Side:
    """What is sent on one side, and what must come of it; None: nothing."""

    def __init__(self, sent, wanted, framing, to_head=False):
        self.sent, self.exact, self.to_head = sent, wanted, to_head
        self.framing = framing
        if framing == "chunked":
            self.sent = as_chunked(sent, SIZES, EXTENSION, TRAILER)
            self.exact = as_chunked(wanted, (1 << 20,)) if wanted is not None else None
        elif framing == "close":
            self.sent = as_closed(sent)
            self.exact = as_closed(wanted) if wanted is not None else None

    def numbered(self, n):
        """The same for one of several clients, told apart by the query."""
        side = Side(self.sent, self.exact, None, self.to_head)
        side.framing = self.framing
        side.sent = self.sent.replace(b" /t ", b" /t?n=%d " % n, 1)
        side.exact = self.exact and self.exact.replace(b" /t ", b" /t?n=%d " % n, 1)
        return side

    def contents(self):
        return Message(self.sent, self.to_head).content, \
            Message(self.exact, self.to_head).content if self.exact is not None else b""

    def check(self, peer):
        """Reads what came; in chunks only the content and what did not change are compared."""
        if self.exact is None:
            return
        if self.framing != "chunked":
            peer.expect(self.exact)
            return
        wanted = Message(self.exact)
        peer.expect(wanted.head)
        body, raw = Dechunk(), b""
        while body.trailer is None:
            before, peer.got = peer.got, b""
            left = body.feed(before)
            raw += before[:len(before) - len(left)]
            peer.got = left
            if body.trailer is None and not peer.read_more():
                raise Failure(f"the chunks do not end: {raw!r}, expected {wanted.content!r}")
        got = Message(wanted.head + raw)
        if got.content != wanted.content:
            raise Failure(f"got chunks with {got.content!r}, expected {wanted.content!r}")
        check_chunks_kept(Message(self.sent), got)


def follower(n):
    return b"GET /follower?n=%d HTTP/1.1\r\nHost: f\r\n\r\n" % n


def follower_answer(n):
    return b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nfollower-%02d" % n


class Play:
    """The exchange once on each of several connections, with a pipelined follower or without."""

    def __init__(self, lab, request, response, record, clients, follows):
        self.lab, self.record, self.follows = lab, record, follows
        self.requests = [request.numbered(n) for n in range(clients)]
        self.response = response
        self.clients = [lab.connect() for _ in range(clients)]
        self.origins = {}

    def origin(self, n):
        """The upstream connection of client N, which its query tells."""
        while n not in self.origins:
            peer = self.lab.accept()
            while not (found := re.match(rb"\S+ \S*n=(\d+) ", peer.got)) and peer.read_more():
                pass
            if not found:
                raise Failure(f"the origin got {peer.got!r}")
            self.origins[int(found[1])] = peer
        return self.origins[n]

    def run(self):
        try:
            for n, client in enumerate(self.clients):
                client.send(self.requests[n].sent + (follower(n) if self.follows else b""))
            for n, client in enumerate(self.clients):
                self.exchange(n, client)
            for n, client in enumerate(self.clients):
                self.end(n, client)
            self.check_records()
        finally:
            for peer in [*self.clients, *self.origins.values()]:
                peer.sock.close()

    def exchange(self, n, client):
        if self.requests[n].exact is not None:
            self.requests[n].check(self.origin(n))
            self.origin(n).send(self.response.sent)
            if self.response.framing == "close":
                self.origin(n).finish()
        self.response.check(client)
        if self.follows:
            self.origin(n).expect(follower(n))
            self.origin(n).send(follower_answer(n))
            client.expect(follower_answer(n))

    def end(self, n, client):
        if self.response.framing == "close":
            client.expect_end("fin")
        client.finish()
        if n in self.origins:
            self.origins[n].expect_end("fin")
            if self.response.framing != "close":
                self.origins[n].finish()
        elif self.lab.waiting():
            raise Failure("the origin was connected to")
        if self.response.framing != "close":
            client.expect_end("fin")

    def check_records(self):
        records = [self.lab.record() for _ in self.clients for _ in range(1 + self.follows)]
        for record in records:
            if record["target"].startswith("/follower"):
                check_record({"rules": [], "changes": [], "error": None, "status": 200}, record)
            else:
                self.check_tampered(record)
        if len({record["target"] for record in records}) != len(records):
            raise Failure(f"an exchange is told twice: {records}")

    def check_tampered(self, record):
        wanted = dict(self.record)
        if "chunked" in (self.requests[0].framing, self.response.framing) or \
                self.response.framing == "close":
            wanted["changes"] = without_framing(wanted["changes"])
            record = dict(record, changes=without_framing(record["changes"]))
        check_record(wanted, record)
        sides = {"request": self.requests[0], "response": self.response}
        contents = {}
        for name, side in sides.items():
            if side.sent:
                contents[name] = side.contents()
                if side.exact is not None:
                    check_body(record, name, contents[name][1])
        check_body_changes(record, contents)


def ways(case):
    """(framing of the request, of the response, clients, followers) of each way."""
    follows = "alone" not in case.exchange
    yield None, None, 1, False
    if follows:
        yield None, None, 1, True
    framings = case.exchange.get("framings", "").split()
    if "request" in framings:
        yield "chunked", None, 1, follows
    if "response" in framings:
        yield None, "chunked", 1, follows
        yield None, "close", 1, False
    if follows and not any('"when"' in rule for rule in case.rules):
        yield None, None, CLIENTS, True


def read_side(case, sent, wanted, message_bytes):
    raw = message_bytes(case.exchange[sent]) if sent in case.exchange else b""
    text = case.exchange.get(wanted)
    return raw, raw if text is None else None if text == "nothing" else message_bytes(text)


def wanted_record(case):
    record = {"rules": [json.loads(rule)["name"] for rule in case.rules], "error": None}
    return {**record, **json.loads(case.exchange["record"])}


def play_all_ways(lab, case, message_bytes):
    request = read_side(case, "request", "passes", message_bytes)
    response = read_side(case, "answer", "gets", message_bytes)
    to_head = request[0].startswith(b"HEAD ")
    for up, down, clients, follows in ways(case):
        try:
            Play(lab, Side(*request, up), Side(*response, down, to_head), wanted_record(case),
                 clients, follows).run()
        except Failure as failure:
            way = f"request {up or 'as it is'}, response {down or 'as it is'}, " \
                  f"{clients} clients, {'a follower' if follows else 'alone'}"
            raise Failure(f"{way}: {failure}") from None
