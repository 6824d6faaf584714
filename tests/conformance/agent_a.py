"""Plays a case against agent_a: a server of ours takes its requests and answers as the case says.

Each case is two calls, by a process of its own, with the answers sent whole and then byte by byte.
The second call is the follower: it is answered well, and must be accepted, whatever the first got.
"""
import concurrent.futures
import json
import os
import socket
import subprocess
import tempfile
import threading

import cases
from answers import Request
from wire import Failure, Peer, TIMEOUT, unescape

AT_ONCE = 4
ACCEPT_TIMEOUT = 0.05  # seconds: as often it is looked whether agent_a has ended
GOOD = r"HTTP/1.1 200 OK\r\nContent-Length: @\r\n\r\n$RESULT"
BY_DEFAULT = ["--count", "2", "--timeout", "5", "--quiet"]


class Server:
    """What agent_a calls. Its findings are in `failure` and `connections` once it has stopped."""

    def __init__(self, case, pieces):
        self.case, self.pieces = case, pieces
        self.answers = self.read_answers()
        self.sends = case.all("sends")
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(ACCEPT_TIMEOUT)
        self.host = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.requests = self.connections = 0
        self.failure = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def read_answers(self):
        """(bytes, how the connection ends behind them) for each request in turn."""
        answers = []
        for word, text in self.case.lines:
            if word == "answer":
                answers.append([text, None])
            elif word == "hangup":
                answers[-1][1] = text
        return answers

    def run(self):
        while not self.ended.is_set():
            try:
                peer = Peer(self.socket.accept()[0], self.pieces)
            except TimeoutError:
                continue
            self.connections += 1
            try:
                self.serve(peer)
            except (Failure, OSError, ValueError) as failure:
                self.failure = self.failure or str(failure)
            peer.sock.close()
        self.socket.close()

    def serve(self, peer):
        while peer.read_more() and not peer.end:
            n, self.requests = self.requests, self.requests + 1
            if n < len(self.sends) and self.sends[n] == "tls":
                self.expect_handshake(peer)
                return
            request = Request(peer)
            self.check_request(n, request)
            text, end = self.answers[n] if n < len(self.answers) else (GOOD, None)
            peer.read_more(0)
            if peer.got:
                raise Failure(f"{peer.got!r} behind a request that is not answered yet")
            peer.send(self.answer_bytes(text, request))
            if end == "rst":
                peer.reset()
                return
            if end == "fin":
                peer.finish()
                while peer.read_more():
                    pass
        if peer.got:
            raise Failure(f"{peer.got!r} behind the last request")

    def expect_handshake(self, peer):
        if peer.got[:1] != b"\x16":
            raise Failure(f"sent {peer.got!r}, expected a ClientHello")

    def answer_bytes(self, text, request):
        call = json.loads(request.content) if request.content else {}
        result = {"id": call.get("id"), "type": "tool_result", "result": {"ok": True}}
        good = json.dumps(result)
        for name, value in (("@", str(len(good))), ("#", f"{len(good):x}"), ("$RESULT", good)):
            text = text.replace(name, value)
        return unescape(text)

    def check_request(self, n, request):
        """METHOD TARGET JSON: the request line, and fields that are there (null: that are not)."""
        if n >= len(self.sends):
            return
        text = self.sends[n].replace("$HOST", self.host)
        method, target, fields = text.split(" ", 2)
        if (request.method, request.target) != (method, target):
            raise Failure(f"sent {request.head!r}, expected {method} {target}")
        for name, value in json.loads(fields).items():
            if request.fields.get(name.lower()) != value:
                raise Failure(f"sent {request.head!r}, expected {name}: {value}")

    def stop(self):
        self.ended.set()
        self.thread.join()


class Play:
    def __init__(self, case, program, pieces):
        self.case, self.program = case, program
        self.server = Server(case, pieces)
        self.dir = tempfile.TemporaryDirectory()
        self.results_path = os.path.join(self.dir.name, "results.ndjson")

    def run(self):
        try:
            status, said = self.call()
        finally:
            self.server.stop()
        results = self.results()
        self.dir.cleanup()
        if self.server.failure:
            raise Failure(self.server.failure)
        wanted = [text.split() for text in self.case.all("result")]
        wanted += [["accepted"]] * (len(results) - len(wanted))
        got = [[result["outcome"], *filter(None, [result["word"]])] for result in results]
        if got != wanted or not results:
            raise Failure(f"the results are {results}, expected {wanted}: {said}")
        if status != (0 if all(one == ["accepted"] for one in wanted) else 1):
            raise Failure(f"ended with status {status}: {said}")
        connections = int(self.case.one("connections", "1"))
        if self.server.connections != connections:
            raise Failure(f"opened {self.server.connections} connections, expected {connections}")

    def call(self):
        host = self.server.host
        words = [word.replace("$HOST", host) for word in self.case.one("args", "").split()]
        if "--url" not in words:
            words += ["--url", f"http://{host}/tool"]
        environment = {**os.environ, "NO_PROXY": "", "HTTP_PROXY": "", "HTTPS_PROXY": ""}
        done = subprocess.run(
            [*self.program, *BY_DEFAULT, "--results", self.results_path, *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT * 3, env=environment,
            check=False)
        return done.returncode, done.stdout.decode(errors="replace")[-800:]

    def results(self):
        if not os.path.exists(self.results_path):
            return []
        with open(self.results_path, encoding="utf-8") as file:
            return [json.loads(line) for line in file]


def play_one(program, case, pieces):
    try:
        Play(case, program, pieces).run()
    except (Failure, OSError, ValueError, subprocess.TimeoutExpired) as failure:
        return f"{case} ({'pieces' if pieces else 'whole'}): {failure}"
    return None


def run(program, more_options, chosen):
    """Plays the cases; what went wrong."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(play_one, [program, *more_options], case, pieces)
                for case in chosen for pieces in (False, True)]
    return [job.result() for job in jobs if job.result()]
