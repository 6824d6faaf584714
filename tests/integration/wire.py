#!/usr/bin/env python3
"""Drives mitm_proxy between a raw client and a raw origin, and compares bytes.

usage: wire.py PROXY CASES.txt [--pieces] [-- proxy options]

A case is a list of steps, each done and waited for in turn; strings are written as in
tests/data/http/requests.txt (\\r \\n \\t \\\\ \\xHH \\*N;C).

  case NAME
  options WORDS       the proxy is started anew with these, for this case only
  hurries             a step has to come before one of the proxy's times is over: played up to five
                      times until it passes, for the machine may be too slow for that
  c> BYTES            the client sends                 s> BYTES   the origin sends
  c< BYTES            the client gets exactly these    s< BYTES   the origin gets exactly these
  c> fin | rst        the client ends                  s> fin | rst
  c< fin | rst        the client sees the end          s< fin | rst | end (either)
  c< refused S WORD   the client gets status S, a JSON body with WORD, and the end
  s< cut              the origin sees the end, whatever came before it
  s< nothing          the origin was not even connected to, or has nothing more
  s! accept           the origin takes the connection
  s! again            … and another one, when that has ended
  idle N              another connection is opened and waited for until its first N bytes of a head
                      time out: as long as --head-timeout, or --idle-timeout for N = 0
  term                the proxy is told to end, as it is after each case
  reconnect           a new client connection, and a new one at the origin
  log KEY=VALUE …     the next record of the exchange log; VALUE is JSON or a bare word

$ORIGIN in a step is the origin's 127.0.0.1:PORT, $ALIAS localhost:PORT, and $PORT the port; $PROXY is
where the proxy listens, $LISTENING that port, and $ADMIN where its admin port is.

With --pieces what is sent goes byte by byte. Files of tests/data/http/ (bytes, expect) are read
too: what is "ok" must reach the origin unchanged, what is refused must not reach it at all.
"""
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile

import log_schema

TIMEOUT = 60  # seconds, in which a machine that is slow comes to everything
TRIES = 5     # of a case that hurries


def unescape(text):
    out = bytearray()
    at = 0
    raw = text.encode()
    while at < len(raw):
        if raw[at:at + 1] != b"\\":
            out.append(raw[at])
            at += 1
            continue
        kind = raw[at + 1:at + 2]
        if kind == b"x":
            out.append(int(raw[at + 2:at + 4], 16))
            at += 4
        elif kind == b"*":
            end = raw.index(b";", at)
            out += raw[end + 1:end + 2] * int(raw[at + 2:end])
            at = end + 2
        else:
            out += {b"r": b"\r", b"n": b"\n", b"t": b"\t"}.get(kind, kind)
            at += 2
    return bytes(out)


class Failure(Exception):
    pass


class Peer:
    """One end: a socket with what was read and not yet compared."""

    def __init__(self, sock, pieces):
        self.sock = sock
        self.pieces = pieces
        self.got = b""
        self.end = None
        self.reset_told = False  # the kernel tells of a reset once: to a send, perhaps, and then not to a recv
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        step = 1 if self.pieces and len(data) < 20000 else len(data) or 1
        try:
            for at in range(0, len(data), step):
                self.sock.sendall(data[at:at + step])
        except ConnectionResetError:
            self.reset_told = True
        except OSError:
            pass  # the other side has had enough; what it answered counts

    def finish(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # likewise

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def read_more(self, timeout=TIMEOUT):
        if self.end:
            return False
        if not select.select([self.sock], [], [], timeout)[0]:
            return False
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionError:
            self.end = "rst"
            return True
        if not data:
            self.end = "rst" if self.reset_told else "fin"
        self.got += data
        return True

    def expect(self, wanted):
        while len(self.got) < len(wanted) and self.read_more():
            pass
        got, self.got = self.got[:len(wanted)], self.got[len(wanted):]
        if got != wanted:
            raise Failure(f"got {got!r}{' then ' + self.end if self.end else ''}, "
                          f"expected {wanted!r}")

    def expect_end(self, how):
        while not self.end and not self.got and self.read_more():
            pass
        if self.got:
            raise Failure(f"more bytes than expected: {self.got!r}")
        if how != "end" and self.end != how:
            raise Failure(f"ended by {self.end}, expected {how}")
        if not self.end:
            raise Failure("did not end")

    def expect_nothing(self):
        self.read_more(0)
        if self.got:
            raise Failure(f"got {self.got!r}, expected nothing")

    def expect_refusal(self, status, word):
        while not self.end and self.read_more():
            pass
        head, _, body = self.got.partition(b"\r\n\r\n")
        self.got = b""
        line = head.split(b"\r\n")[0].decode()
        if f" {status} " not in line:
            raise Failure(f"answered {line!r}, expected {status}")
        if self.end != "fin":
            raise Failure(f"ended by {self.end}")
        if word and json.loads(body)["error"]["word"] != word:
            raise Failure(f"answered {body!r}, expected {word}")


class Lab:
    """The proxy, its log, and the origin's listening socket."""

    def __init__(self, program, options, pieces):
        self.pieces = pieces
        self.dir = tempfile.TemporaryDirectory()
        self.log_path = os.path.join(self.dir.name, "exchanges.ndjson")
        self.origin = socket.create_server(("127.0.0.1", 0))
        self.origin.settimeout(TIMEOUT)
        port = self.origin.getsockname()[1]
        upstream = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [program, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", upstream,
             "--exchange-log", self.log_path, *(o.replace("$PORT", str(port)) for o in options)],
            stdout=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        match = re.search(r"listening on ([\d.]+):(\d+)", line)
        if not match:
            raise Failure("the proxy did not start")
        self.address = (match[1], int(match[2]))
        self.names = {"$ORIGIN": f"127.0.0.1:{port}", "$ALIAS": f"localhost:{port}",
                      "$PROXY": f"{match[1]}:{match[2]}", "$PORT": str(port), "$LISTENING": match[2],
                      "$ADMIN": re.search(r"admin on http://(\S+)", line)[1]}
        self.terminated = False
        self.log = open(self.log_path, encoding="utf-8")

    def connect(self):
        return Peer(socket.create_connection(self.address), self.pieces)

    def accept(self):
        try:
            return Peer(self.origin.accept()[0], self.pieces)
        except TimeoutError:
            raise Failure("the origin was not connected to") from None

    def waiting(self):
        return bool(select.select([self.origin], [], [], 0)[0])

    def record(self):
        """The next record; the proxy writes it before the client has its answer."""
        for _ in range(TIMEOUT * 100):
            line = self.log.readline()
            if line:
                return json.loads(line)
            select.select([], [], [], 0.01)
        raise Failure("no record in the exchange log")

    def terminate(self):
        if not self.terminated:  # a second signal would end it at once
            self.process.send_signal(signal.SIGTERM)
        self.terminated = True

    def close(self):
        self.process.stdout.close()
        self.terminate()
        status = self.process.wait(TIMEOUT * 2)
        problem = log_schema.problem_in(self.log_path)
        self.log.close()
        self.origin.close()
        self.dir.cleanup()
        if status:
            raise Failure(f"the proxy ended with status {status}")
        if problem:
            raise Failure(problem)


class Case:
    def __init__(self, name):
        self.name = name
        self.options = None
        self.hurries = False
        self.steps = []
        self.wire = b""  # of the files in tests/data/http/
        self.passes = b""
        self.expect = None


def read_cases(path):
    cases = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if line.startswith("case "):
                cases.append(Case(line[5:]))
            elif line.startswith("options "):
                cases[-1].options = line[8:].split()
            elif line == "hurries":
                cases[-1].hurries = True
            elif line.startswith("bytes "):
                cases[-1].wire += unescape(line[6:])
            elif line.startswith("passes "):
                cases[-1].passes += unescape(line[7:])
            elif line.startswith("expect "):
                cases[-1].expect = line[7:]
            elif line and not line.startswith("#"):
                cases[-1].steps.append(line)
    return cases


class Run:
    """One case: the two ends and where the steps have come to."""

    def __init__(self, lab):
        self.lab = lab
        self.client = lab.connect()
        self.server = None

    def origin(self):
        if not self.server:
            self.server = self.lab.accept()
        return self.server

    def close(self):
        for peer in (self.client, self.server):
            if peer:
                peer.sock.close()
        while self.lab.waiting():
            self.lab.origin.accept()[0].close()

    def end_step(self, who, word):
        if word == "fin":
            who.finish()
        else:
            who.reset()

    def check_step(self, who, word):
        if word.startswith("refused "):
            status, name = word.split()[1:]
            who.expect_refusal(int(status), name)
        elif word == "cut":
            while who.read_more():
                who.got = b""
            who.expect_end("end")
        elif word in ("fin", "rst", "end"):
            who.expect_end(word)
        else:
            who.expect(unescape(word))

    def log_step(self, words):
        record = self.lab.record()
        for word in words.split(" "):
            key, _, value = word.partition("=")
            try:
                value = json.loads(value)
            except ValueError:
                pass
            if record.get(key) != value:
                raise Failure(f"the log says {key}={record.get(key)!r}, expected {value!r}: {record}")

    def step(self, line):
        for name, text in self.lab.names.items():
            line = line.replace(name, text)
        kind, _, word = line.partition(" ")
        if kind == "s<" and word == "nothing":
            if self.server:
                self.server.expect_nothing()
            elif self.lab.waiting():
                raise Failure("the origin was connected to")
        elif kind == "s!" and word == "again":
            self.server.expect_end("end")
            self.server.sock.close()
            self.server = self.lab.accept()
        elif kind == "s!":
            self.origin()
        elif kind == "idle":
            other = self.lab.connect()
            other.send(b"GET / HTTP/1.1"[:int(word)])
            while other.read_more():
                pass
            other.sock.close()
            if not other.end:
                raise Failure("the other connection did not end")
        elif kind == "term":
            self.lab.terminate()
        elif kind == "reconnect":
            self.close()
            self.client, self.server = self.lab.connect(), None
        elif kind == "log":
            self.log_step(word)
        elif kind[1] == ">" and word in ("fin", "rst"):
            self.end_step(self.client if kind[0] == "c" else self.origin(), word)
        elif kind[1] == ">":
            (self.client if kind[0] == "c" else self.origin()).send(unescape(word))
        elif kind[1] == "<":
            self.check_step(self.client if kind[0] == "c" else self.origin(), word)
        else:
            raise Failure(f"no such step: {line}")

    def parser_case(self, case):
        """A case of tests/data/http/requests.txt, seen from both ends."""
        word, number = case.expect.split()[:2]
        self.client.send(case.wire)
        if word == "ok":
            if case.wire.startswith(b"CONNECT"):
                return  # asks for another kind of proxy
            if b"Upgrade: " in case.wire:  # what follows waits for the answer
                case.wire = case.wire[:case.wire.index(b"\r\n\r\n") + 4]
            self.origin().expect(case.wire)
        elif word == "after_close":
            self.origin().expect(case.passes)
            self.origin().expect_nothing()
        else:
            self.client.finish()
            self.client.expect_refusal(int(number), word)
            if not self.lab.pieces and len(case.wire) < 65536:
                self.step("s< nothing")


def run_case(lab, case):
    run = Run(lab)
    try:
        if case.expect:
            run.parser_case(case)
        for line in case.steps:
            try:
                run.step(line)
            except Failure as failure:
                raise Failure(f"{line!r}: {failure}") from None
    finally:
        run.close()


def run_alone(program, options, pieces, case):
    """What is wrong, or None."""
    try:
        lab = Lab(program, options + (case.options or []), pieces)
        try:
            run_case(lab, case)
        finally:
            lab.close()
    except Failure as failure:
        return str(failure)
    return None


def play(case, run):
    """What is wrong, as RUN returns it: nothing, or a text."""
    wrong = run()
    for _ in range(TRIES - 1 if case.hurries else 0):
        wrong = wrong and run()
    return wrong


def main():
    words = sys.argv[1:]
    options = []
    if "--" in words:
        options = words[words.index("--") + 1:]
        words = words[:words.index("--")]
    pieces = "--pieces" in words
    program, path = [word for word in words if word != "--pieces"]
    failed = 0
    cases = read_cases(path)
    for case in cases:
        if wrong := play(case, lambda: run_alone(program, options, pieces, case)):
            failed += 1
            print(f"FAILED {case.name}: {wrong}")
    print(f"{path}: {len(cases) - failed} of {len(cases)} cases passed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
