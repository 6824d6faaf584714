"""Plays a case against agent_b: requests go in, and each answer is held against the strict reader.

Each case is played whole and byte by byte. Where its connection persists, a follower is pipelined
behind it, whose answer must be the next and the last.
"""
import concurrent.futures
import json
import re
import socket
import subprocess
import tempfile

import cases
from answers import Response
from wire import Failure, Peer, TIMEOUT, unescape

AT_ONCE = 4
FOLLOWER = b"GET /healthz HTTP/1.1\r\nHost: f\r\n\r\n"


class Lab:
    """agent_b, for all cases with the same options."""

    def __init__(self, program, options):
        self.dir = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [program, "--listen", "127.0.0.1:0", "--data", self.dir.name, *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while line := self.process.stdout.readline().decode():
            if match := re.search(r"[Ll]istening on ([\d.]+):(\d+)", line):
                break
        else:
            raise Failure("agent_b did not start")
        self.address = (match[1], int(match[2]))
        self.drain = concurrent.futures.ThreadPoolExecutor(1)
        self.drain.submit(self.process.stdout.read)

    def close(self):
        self.process.terminate()
        status = self.process.wait(TIMEOUT * 2)
        self.drain.shutdown()
        self.process.stdout.close()
        self.dir.cleanup()
        if status:
            raise Failure(f"agent_b ended with status {status}")


CALL = '{"id":7,"tool_name":"analyze_dependency","arguments":{"x":1}}'


def message_bytes(text):
    """BYTES, where $CALL is a call, and "Content-Length: @" counts what follows the head."""
    raw = unescape(text.replace("$CALL", CALL).replace("$CHUNKS", chunks_of(CALL)))
    head, end, body = raw.partition(b"\r\n\r\n")
    return head.replace(b"Content-Length: @", b"Content-Length: %d" % len(body)) + end + body


def chunks_of(text):
    return r"10\r\n%s\r\n%x\r\n%s\r\n0\r\n" % (text[:16], len(text) - 16, text[16:])


def method_of(sent):
    found = re.match(rb"(?:\r\n)*([A-Z]+) ", sent)
    return found[1] if found else b""


class Play:
    def __init__(self, case, lab, pieces):
        self.case, self.lab, self.pieces = case, lab, pieces
        self.methods = []  # of requests that have no answer yet
        self.closes = case.one("closes") is not None
        self.follows = "alone" not in case.flags
        self.last = max(n for n, line in enumerate(case.lines) if line[0] == "request")
        self.connect()

    def connect(self):
        self.peer = Peer(socket.create_connection(self.lab.address), self.pieces)
        self.hung_up = False

    def run(self):
        try:
            for n, (word, text) in enumerate(self.case.lines):
                self.step(n, word, text)
            if self.follows and not self.closes:
                self.check('200 {} "ok"')
            if not self.closes and not self.hung_up:
                self.peer.finish()
            self.peer.expect_end("fin")
        finally:
            self.peer.sock.close()

    def step(self, n, word, text):
        if word == "request":
            raw = message_bytes(text)
            if method := method_of(raw):
                self.methods.append(method)
            self.peer.send(raw + (FOLLOWER if self.follows and n == self.last else b""))
        elif word == "gets":
            self.check(text)
        elif word == "hangup":
            self.peer.finish()
            self.hung_up = True
        elif word == "reconnect":
            self.peer.expect_end("fin")
            self.peer.sock.close()
            self.connect()

    def check(self, text):
        """STATUS JSON WORDS: the status, fields (null: that are not there), part of the content."""
        status, _, rest = text.partition(" ")
        fields, at = json.JSONDecoder().raw_decode(rest) if rest else ({}, 0)
        method = self.methods[0] if self.methods else b""
        answer = Response(self.peer, method == b"HEAD")
        if answer.status >= 200 and self.methods:
            self.methods.pop(0)
        if answer.status != int(status):
            raise Failure(f"answered {answer.head!r}{answer.content!r}, expected {status}")
        for name, value in fields.items():
            got = answer.fields.get(name.lower())
            if got != value and not (value == "*" and got is not None):
                raise Failure(f"the field {name} is {got!r}, expected {value!r}")
        if unescape(rest[at + 1:]) not in answer.content:
            raise Failure(f"answered {answer.content!r}, expected {rest[at + 1:]}")
        last = self.closes and not self.methods
        if answer.status >= 200 and ("close" in answer.options()) != last and \
                not any(word == "reconnect" for word, _ in self.case.lines):
            raise Failure(f"says the wrong thing about the connection's end: {answer.head!r}")


def play_one(lab, case, pieces):
    try:
        Play(case, lab, pieces).run()
    except (Failure, OSError, ValueError) as failure:
        return f"{case} ({'pieces' if pieces else 'whole'}): {failure}"
    return None


def run(program, more_options, chosen):
    """Plays the cases; what went wrong."""
    failures, groups = [], {}
    for case in chosen:
        groups.setdefault(case.one("options", ""), []).append(case)
    for options, group in groups.items():
        try:
            lab = Lab(program, options.split() + more_options)
            try:
                with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                    jobs = [pool.submit(play_one, lab, case, pieces)
                            for case in group for pieces in (False, True)]
                failures += [job.result() for job in jobs]
            finally:
                lab.close()
        except Failure as failure:
            failures.append(f"agent_b {options}: {failure}")
    return [failure for failure in failures if failure]
