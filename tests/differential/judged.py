#!/usr/bin/env python3
"""Tries the judge on connections that were made up: what agrees, and each way to disagree."""
import sys

import client
import judge
import origins

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"


class Told(origins.App):
    """An origin that is not there."""

    def __init__(self):
        self.unlogged = frozenset({400})


def record(exchange, target, **more):
    return {"exchange": exchange, "method": "GET", "target": target, "status": 200, "error": None,
            "upstream_us": 1, "upstream_local": "127.0.0.1:9", "request_bytes": 0, "request_sha256": "e",
            "changes": [], **more}


def seen(line, status=200, whole=True, **more):
    one = origins.Seen(line, status)
    one.whole, one.bytes, one.sha256 = whole, 0, "e"
    one.__dict__.update(more)
    return one


def sent(*contents, more=b""):
    one = client.Sent()
    one.ended = True
    one.got = b"".join(OK % (len(content), content) for content in contents) + more
    return one


A, B = record(1, "/a"), record(2, "/b")
LOST = record(2, "/b", status=None, error="upstream_closed")
REFUSED = record(2, "/b", status=400, error="bad_request", upstream_us=0)
HALF = record(1, "/a", status=None, error="request_incomplete", request_sha256=None)
ORIGIN_CASES = [
    ("both saw both", [B, A], [seen("GET /a"), seen("GET /b")], ""),
    ("one was never answered, and not seen", [A, LOST], [seen("GET /a")], ""),
    ("one was never answered, but seen", [A, LOST], [seen("GET /a"), seen("GET /b", whole=False)], ""),
    ("one that the origin refused without a line", [record(1, "/a", status=400)], [], ""),
    ("one that it refused unread", [record(1, "/a", status=431)], [seen(None, 431)], ""),
    ("one that it refused unread, and before it one never answered",
     [HALF, record(2, "/b", status=431)], [seen(None, 431)], ""),
    ("its target was changed", [record(1, "http://a/", changes=[{"target": {"new": "http://b/"}}])],
     [seen("GET http://b/")], ""),
    ("one is on top", [A], [seen("GET /a"), seen("GET /smuggled")], "more"),
    ("one is on top that could not be read", [A], [seen("GET /a"), seen(None, 400)], "more"),
    ("one that the proxy refused", [A, REFUSED], [seen("GET /a"), seen("GET /b")], "more"),
    ("another order", [A, B], [seen("GET /b"), seen("GET /a")], "fewer more"),
    ("one lacks", [A, B], [seen("GET /a")], "fewer"),
    ("the first lacks", [A, B], [seen("GET /b")], "fewer"),
    ("another target", [A], [seen("GET /ab")], "fewer more"),
    ("another method", [A], [seen("HEAD /a")], "fewer more"),
    ("another status", [A], [seen("GET /a", 404)], "status"),
    ("another length", [A], [seen("GET /a", bytes=1)], "body"),
    ("another body", [A], [seen("GET /a", sha256="f")], "body"),
    ("one is whole only there", [HALF], [seen("GET /a")], "body"),
]
CLIENT_CASES = [
    ("both came", [A, B], sent(b"/a", b"/b"), ""),
    ("behind an interim one", [A], sent(more=b"HTTP/1.1 100 x\r\n\r\n" + OK % (2, b"/a")), ""),
    ("the answer to another", [A, B], sent(b"/b", b"/a"), "responses"),
    ("one lacks", [A, B], sent(b"/a"), "responses"),
    ("one is on top", [A], sent(b"/a", b"/b"), "responses"),
    ("one was cut", [A], sent(more=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/"), "responses"),
    ("another status", [record(1, "/a", status=404)], sent(b"/a"), "responses"),
    ("no response at all", [A], sent(more=b"junk\r\n\r\n"), "responses"),
]


def kinds(problems):
    return " ".join(sorted({problem.partition(":")[0] for problem in problems}))


def main():
    wrong = 0
    origin = Told()
    for name, records, saw, want in ORIGIN_CASES:
        got = kinds(judge.check_origin(origin, records, saw))
        wrong += got != want
        print(f"{'ok' if got == want else 'FAILED'} - {name}: {got or 'agrees'}")
    for name, records, got_back, want in CLIENT_CASES:
        got = kinds(judge.check_client(origin, records, got_back))
        wrong += got != want
        print(f"{'ok' if got == want else 'FAILED'} - the client: {name}: {got or 'agrees'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
