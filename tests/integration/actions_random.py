#!/usr/bin/env python3
"""Random JSON Patches through the running proxy, against RFC 6902 written once more in json_splice.py.

usage: actions_random.py PROXY [--seed N] [--count N]

Each patch is a rule for one path, on the request or on the response, whose body comes with a length or
in random chunks. What arrives must mean what the other implementation says, with every byte outside of
the place that an operation names unchanged, and every chunk outside of it as it was; what cannot be
done must leave the message as it came, with the same word in the log.
"""
import argparse
import random
import sys

from actions_http import Message, as_chunked, check_chunks_kept
from actions_lab import Lab
from actions_record import check_body, check_record
from json_splice import Maker, check_bytes, expected, make, node_at, parse, tokens
from wire import Failure

REQUEST = b"POST /%d HTTP/1.1\r\nHost: a\r\nX-Odd:   two  spaces\r\nContent-Length: %d\r\n\r\n%s"
ANSWER = b"HTTP/1.1 200 All  is  well\r\nX-Odd:   1 \r\nContent-Length: %d\r\n\r\n%s"


class Trial:
    def __init__(self, maker, number):
        self.number = number
        self.text, self.ops = make(maker)
        self.side = maker.random.choice(["request", "response"])
        self.chunk_sizes = maker.random.choice([None, (1,), (1, 2, 5), (7, 100)])
        self.good, self.value = expected(self.text, self.ops)
        self.rule = '{"name": "r%d", "on": "%s", "match": {"path": "/%d"}, "do": [{"json_patch": %s}]}' \
            % (number, self.side, number, maker.patch_text(self.ops))

    def message(self, text):
        body = text.encode()
        if self.side == "request":
            return REQUEST % (self.number, len(body), body)
        return ANSWER % (len(body), body)

    def sent(self):
        raw = self.message(self.text)
        return as_chunked(raw, self.chunk_sizes, b";x=y", b"X-Sum: 1\r\n") if self.chunk_sizes else raw

    def touched(self):
        """The bytes that the patch may change, or whose chunks it may write anew."""
        op, text = self.ops[0], self.text
        if len(self.ops) > 1 or op["op"] == "move" or op["path"] == "":
            return 0, len(text.encode())
        path = tokens(op["path"])
        container = node_at(text, path[:-1])
        there = text[container[0]] == "{" and any(c[0] == path[-1] for c in container[2])
        if op["op"] in ("replace", "test") or op["op"] in ("add", "copy") and there:
            container = node_at(text, path)
        return tuple(len(text[:at].encode()) for at in container[:2])

    def check(self, got):
        sent = Message(self.sent())
        if not self.good:
            if got.raw != sent.raw:
                raise Failure(f"a patch that fails with {self.value} changed the message: {got.raw!r}")
            return
        result = got.content.decode()
        if parse(result) != self.value:
            raise Failure(f"got {result!r}, expected the value {self.value!r}")
        if len(self.ops) == 1:
            check_bytes(self.text, self.ops[0], result)
        head = Message(self.message(result)).head
        if self.chunk_sizes:
            head = as_chunked(self.message(result), (1,)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            check_chunks_kept(sent, got, self.touched())
        if got.head != head:
            raise Failure(f"got the head {got.head!r}, expected {head!r}")

    def check_log(self, record, got):
        check_record({"error": None, "rules": [f"r{self.number}"]}, record)
        check_body(record, self.side, got.content)
        failed = [change["failed"] for change in record["changes"] if "failed" in change]
        if failed != ([] if self.good else [self.value]):
            raise Failure(f"the log says {record['changes']}")


def read_message(peer):
    """One whole message; nothing follows it before it was answered."""
    while True:
        if b"\r\n\r\n" in peer.got and (message := Message(peer.got)).whole():
            peer.got = b""
            return message
        if not peer.read_more():
            raise Failure(f"no whole message came: {peer.got!r}")


def run_trial(trial, client, origin):
    """ORIGIN takes the connection, once there is one. Returns the tampered message."""
    empty = trial.side == "request"
    client.send(trial.sent() if empty else b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % trial.number)
    up = read_message(origin())
    origin().send(b"HTTP/1.1 204 No\r\n\r\n" if empty else trial.sent())
    down = read_message(client)
    return up if empty else down


def run_all(lab, trials):
    client, taken = lab.connect(), []

    def origin():
        if not taken:
            taken.append(lab.accept())
        return taken[0]
    try:
        for trial in trials:
            client.pieces = trial.number % 4 == 0
            try:
                got = run_trial(trial, client, origin)
                trial.check(got)
                trial.check_log(lab.record(), got)
            except (Failure, AssertionError) as failure:
                raise SystemExit(f"{trial.rule}\nto {trial.sent()!r}:\n{failure}") from None
    finally:
        for peer in [client, *taken]:
            peer.sock.close()


def main():
    options = argparse.ArgumentParser()
    options.add_argument("program")
    options.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options.add_argument("--count", type=int, default=600)
    options = options.parse_args()
    print(f"seed {options.seed}", flush=True)
    sys.setrecursionlimit(10000)
    maker = Maker(options.seed)
    trials = [Trial(maker, number) for number in range(options.count)]
    lab = Lab(options.program, [], [trial.rule for trial in trials])
    try:
        run_all(lab, trials)
    finally:
        lab.close()
    done = sum(trial.good for trial in trials)
    print(f"{len(trials)} patches: {done} done, {len(trials) - done} refused")
    assert options.count / 3 < done < options.count


if __name__ == "__main__":
    main()
