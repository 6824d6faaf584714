#!/usr/bin/env python3
"""A call and an answer with all that could hurt a terminal, through the whole chain.

usage: hostile.py BIN_DIR DIR      every program's words, logs and reports go to DIR
       hostile.py --look FILE …    1, and a line for each, where a raw control is left in one, or where it
                                   is no JSON or XML that a reader takes

What is sent is in HOSTILE. What a parser refuses is sent too: a refusal has a line of its own.
"""
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import xml.etree.ElementTree

TIMEOUT = 60
HOSTILE = {
    "escape": b"\x1b[2J\x1b]0;title\x07",
    "line": b"\r\n[mitm_proxy] 00:00:00.000 #1 a made-up line\r",
    "backspaces": b"\x08\x08\x08\x7f\x7f",
    "zero": b"\x00",
    "c1": "\x9b31m\x85\x90".encode(),
    "latin": b"\x9b31m\xff\xfe\xc0\x9b",
    "bidi": "\u202e\u2066evil\u2069\u202c\u200f\u061c".encode(),
    "hidden": "\u200b\u2028\u2029\ufeff\ufff9\U000e0041".encode(),
    "escaped": rb"\u001b[31m\u202e\u0000\n",
}
ALL = b"".join(HOSTILE.values())
# What may stand in the fields of a head, and in a string of JSON.
FIELD = b"".join(HOSTILE[name] for name in ("c1", "latin", "bidi", "hidden"))
STRING = b"".join(HOSTILE[name] for name in ("backspaces", "c1", "bidi", "hidden", "escaped")).replace(b"\x08", b"")


def call(words=STRING, name=STRING):
    return (b'{"id":"%s","type":"tool_call","tool_name":"%s","method":"%s","params":{"name":"%s"},'
            b'"arguments":{"account":"%s"}}') % (words, name, words, words, words)


def request(body, target=b"/tool", method=b"POST", fields=b"", kind=b"application/json"):
    return (b"%s %s HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n"
            % (method, target, kind, fields, len(body))) + body


def answer(body, reason=FIELD, kind=b"application/json", fields=b"X-Bad: " + FIELD + b"\r\n"):
    return (b"HTTP/1.1 200 %s\r\nContent-Type: %s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n"
            % (reason, kind, fields, len(body))) + body


REQUESTS = [
    request(call()), request(call(ALL, ALL)), request(ALL), request(b"\xff\xfe" + call()),
    request(call(), target=b"/tool?" + STRING), request(call(), target=b"/tool?" + ALL),
    request(call(), target=b"/%1b%5b31m"), request(call(), method=b"PO\x1bST"), request(call(), method=b"\x9b"),
    request(call(), fields=b"X-Bad: " + FIELD + b"\r\n"), request(call(), fields=b"X-Bad: " + ALL + b"\r\n"),
    request(call(), kind=b"application/json; x=" + FIELD), request(call(), fields=b"Expect: " + FIELD + b"\r\n"),
    request(call(), fields=b"Transfer-Encoding: " + FIELD + b"\r\n"), request(call(), fields=FIELD + b": 1\r\n"),
    b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: " + FIELD + b"\r\n\r\n",
    b"GET /tool HTTP/1.1\r\nHost: " + FIELD + b"\r\n\r\n", ALL + b"\r\n\r\n",
]
EVENT = b"event: " + STRING + b"\ndata: " + STRING + HOSTILE["escape"] + b"\n\n"
ANSWERS = [
    answer(call()), answer(ALL), answer(call(ALL)), answer(EVENT, kind=b"text/event-stream"),
    answer(call(), reason=ALL), answer(call(), fields=b"X-Bad: " + ALL + b"\r\n"),
    answer(call(), fields=b"Transfer-Encoding: " + FIELD + b"\r\n"), ALL,
    b"HTTP/1.1 101 " + FIELD + b"\r\nConnection: upgrade\r\nUpgrade: " + FIELD + b"\r\n\r\n" + ALL,
]


def read_message(connection):
    """Reads up to the end of a body of known length; what is no HTTP up to a pause."""
    connection.settimeout(0.5)
    held = b""
    try:
        while True:
            head, end, body = held.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if end and len(body) >= (int(length[1]) if length else 0):
                return held
            piece = connection.recv(65536)
            if not piece:
                return held
            held += piece
    except OSError:
        return held


class Origin(threading.Thread):
    """Answers each connection with the next one of ANSWERS."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.turn = 0
        self.start()

    def run(self):
        while True:
            connection, _ = self.socket.accept()
            with connection:
                read_message(connection)
                try:
                    connection.sendall(ANSWERS[self.turn % len(ANSWERS)])
                    connection.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                self.turn += 1


class Lab:
    def __init__(self, bin_dir, directory):
        self.bin, self.dir = os.path.abspath(bin_dir), directory
        self.running = []

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, name, words):
        """Its address, once it listens."""
        with open(self.path(name + ".log"), "wb") as log:
            process = subprocess.Popen([os.path.join(self.bin, words[0]), *words[1:]], stdout=log, stderr=log)
        self.running.append(process)
        while True:
            with open(self.path(name + ".log"), "rb") as log:
                found = re.search(rb"istening on ([\d.]+):(\d+).*\n", log.read())
            if found:
                return found[1].decode(), int(found[2]), found[0].decode()
            if process.poll() is not None:
                raise SystemExit(f"{name} has ended: see {name}.log")

    def run(self, name, words):
        with open(self.path(name + ".log"), "wb") as log:
            return subprocess.run([os.path.join(self.bin, words[0]), *words[1:]], stdout=log, stderr=log,
                                  timeout=TIMEOUT).returncode

    def proxy(self, name, upstream, more=()):
        return self.start(name, ["mitm_proxy", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                                 "--upstream", upstream, "--exchange-log", self.path(name + ".ndjson"),
                                 "--pcap", self.path(name + ".pcap"), "--pcap-source", "payload", *more])

    def stop(self):
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(TIMEOUT)


def send(address, message):
    with socket.create_connection(address[:2], TIMEOUT) as connection:
        try:
            connection.sendall(message)
            read_message(connection)
        except OSError:
            pass


def ask(line, path, method="GET"):
    admin = re.search(r"admin on http://(\S+)", line)[1]
    connection = http.client.HTTPConnection(admin, timeout=TIMEOUT)
    connection.request(method, path, headers={"Content-Type": "application/json"})
    return connection.getresponse().read()


# Holds what goes by, and does to it what is told with the old and the new text in the log.
RULES = {"rules": [{
    "name": "change", "on": "request", "match": {"path": "/changed"},
    "do": [{"json_patch": [{"op": "replace", "path": "/arguments/account", "value": "\u202e\x1b\x9b"}]},
           {"set_field": {"name": "X-Bad", "value": "2"}}],
}, {"name": "keep", "on": "request", "match": {"path": "/held"}, "do": [{"hold": {"max_ms": 20000}}]}]}


def play(lab):
    with open(lab.path("rules.json"), "w") as file:
        json.dump(RULES, file)
    with open(lab.path("call.json"), "wb") as file:
        file.write(call())
    origin = Origin()
    to_agent_b = lab.proxy("proxy_agent", "http://%s:%d" % lab.start("agent_b", ["agent_b", "--listen",
                                                                                 "127.0.0.1:0"])[:2],
                           ["--rules", lab.path("rules.json")])
    to_origin = lab.proxy("proxy_origin", f"http://127.0.0.1:{origin.port}")
    for message in REQUESTS:
        send(to_agent_b, message)
    for _ in ANSWERS:
        send(to_origin, request(call()))
    url = "http://%s:%d/tool"
    for name, address in ("a_agent", to_agent_b), ("a_origin", to_origin):
        lab.run(name, ["agent_a", "--url", url % address[:2], "--call", lab.path("call.json"), "--count",
                       str(len(ANSWERS) + 1), "--retries", "1", "--verbose", "--timeout", "5",
                       "--results", lab.path(name + ".results")])
    send(to_agent_b, request(call(), target=b"/changed", fields=b"X-Bad: " + FIELD + b"\r\n"))
    hold(lab, to_agent_b)
    lab.stop()
    report(lab)


def hold(lab, proxy):
    """What the admin port says of a message that is held."""
    client = threading.Thread(target=send, args=(proxy, request(call(), target=b"/held")))
    client.start()
    while b'"id"' not in (held := ask(proxy[2], "/held")):
        pass
    with open(lab.path("held.log"), "wb") as file:
        file.write(held + ask(proxy[2], "/metrics"))
    ask(proxy[2], "/held/release", "POST")
    client.join()


def report(lab):
    """Every report of captures that differ, with and without the log, in such bytes."""
    for name in "proxy_agent", "proxy_origin":
        capture = lab.path(name + ".pcap")
        with open(capture, "rb") as file:
            held = file.read()
        changed = lab.path(name + ".changed.pcap")
        with open(changed, "wb") as file: # of the same length, so that it stays a capture
            file.write(held.replace(b"evil", b"EV\x1b\x9b").replace(b"[31m", b"[\x1b\x9bm"))
        log = ["--exchange-log", lab.path(name + ".ndjson")]
        for kind in "text", "json", "html", "junit":
            for words, also in ("", []), ("_log", log):
                lab.run(f"{name}_{kind}{words}", ["capdiff", "--format", kind, "--color", "never", *also, "--output",
                                                  lab.path(f"{name}{words}.{kind}"), capture, changed])
        lab.run(name + "_har", ["capdiff", "--har", lab.path(name + "_har"), "--annotate",
                                lab.path(name + ".notes.pcap"), "--output", "/dev/null", capture, changed])
        lab.run(name + "_list", ["capdiff", capture])
        lab.run(name + "_list_json", ["capdiff", "--format", "json", "--output", lab.path(name + "_list.json"), capture])
        for number in range(1, 30):
            lab.run(f"{name}_follow_{number}", ["capdiff", "--follow", str(number), capture])


# Tabs are how the JSON of reports is indented.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb"
                    "\U000e0000-\U000e0fff]|^\\[mitm_proxy\\] 00:00:00.000", re.M)
READERS = {
    ".junit": xml.etree.ElementTree.fromstring, ".json": json.loads, ".har": json.loads,
    ".ndjson": lambda text: [json.loads(line) for line in text.splitlines()],
    ".results": lambda text: [json.loads(line) for line in text.splitlines()],
}


def fault_of(path):
    """What is wrong with the file, or None."""
    with open(path, "rb") as file:
        held = file.read()
    kind = os.path.splitext(path)[1]
    try:
        text = held.decode()
        if kind in READERS:
            READERS[kind](text)
    except ValueError as error:
        return f"{error}"
    except xml.etree.ElementTree.ParseError as error:
        return f"{error}"
    found = UNSAFE.search(text) or (kind != ".json" and re.search("\t", text))
    return found and f"{found[0]!r} in {text[max(0, found.start() - 60):found.start() + 20]!r}"


def look(paths):
    faults = [(path, fault) for path in paths if (fault := fault_of(path))]
    for path, fault in faults:
        print(f"{path}: {fault}")
    return faults


def main():
    if sys.argv[1] == "--look":
        raise SystemExit(1 if look(sys.argv[2:]) else 0)
    lab = Lab(sys.argv[1], sys.argv[2])
    try:
        play(lab)
    finally:
        lab.stop()


if __name__ == "__main__":
    main()
