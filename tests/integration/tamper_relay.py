"""usage: tamper_relay.py HOST:PORT ATTACK

Someone between agent_a and agent_b: passes each exchange on, with what ATTACK does to it, and without
any key. Listens on a port that it prints.
"""
import base64
import hashlib
import re
import socket
import socketserver
import sys
import time

HOST, PORT = sys.argv[1].rsplit(":", 1)
WAIT = 60  # seconds that an attack goes on at most
EVENT = b'event: result\ndata: {"id":1,"evil":true}\n\n'
first_answer = []


def read_chunks(stream):
    body = b""
    while size := int(stream.readline(), 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body


def read_message(stream):
    """A head, as lines, and a body; None at the end. A body of chunks becomes one of known length."""
    head = []
    while line := stream.readline():
        if line == b"\r\n" and field(head, b"transfer-encoding"):
            return with_body(without(head, b"transfer-encoding"), read_chunks(stream), digest=False)
        if line == b"\r\n":
            length = next((int(x.split(b":")[1]) for x in head
                           if x.lower().startswith(b"content-length:")), 0)
            return head, stream.read(length)
        head.append(line)
    return None


def field(head, name):
    return next((x for x in head if x.lower().startswith(name + b":")), None)


def without(head, *names):
    return [x for x in head if x.split(b":")[0].lower() not in names]


def with_body(head, body, digest):
    """The head that BODY needs; its digest too, where there was one and DIGEST says so."""
    had_digest = field(head, b"content-digest")
    head = without(head, b"content-length") + [b"Content-Length: %d\r\n" % len(body)]
    if digest and had_digest:
        value = base64.b64encode(hashlib.sha256(body).digest())
        head = without(head, b"content-digest") + [b"Content-Digest: sha-256=:%s:\r\n" % value]
    return head, body


def ask(message):
    head, body = message
    with socket.create_connection((HOST, int(PORT)), timeout=WAIT) as upstream:
        upstream.sendall(b"".join(head) + b"\r\n" + body)
        with upstream.makefile("rb") as stream:
            return read_message(stream)


def outcome(answer):
    head, body = answer
    word = re.search(rb'"word":"([a-z_]+)"', body)
    return (head[0].split()[1] + (b" " + word[1] if word else b"")).decode()


def change(pattern, replacement, digest):
    def attack(message):
        head, body = message
        changed = re.sub(pattern, replacement, body, count=1)
        return with_body(head, changed, digest) if changed != body else message
    return attack


def strip(message):
    return without(message[0], b"signature", b"signature-input"), message[1]


def show(message):
    print("sent:", b"".join(message[0]) + b"\r\n" + message[1], flush=True)
    return message


def swap(_, answer):
    first_answer.append(answer)
    return first_answer[0]


def replay(message, answer):
    print("replay:", outcome(ask(message)), flush=True)
    return answer


def replay_later(message, answer):
    """Until it is answered in another way."""
    first = outcome(ask(message))
    print("replay:", first, flush=True)
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        later = outcome(ask(message))
        if later != first:
            print("replay:", later, flush=True)
            break
    return answer


REQUESTS = {
    "body": change(rb'"amount":5', b'"amount":9', digest=False),
    "body-and-digest": change(rb'"amount":5', b'"amount":9', digest=True),
    "strip": strip,
    "path": lambda m: ([m[0][0].replace(b"/tool", b"/tool?as=root")] + m[0][1:], m[1]),
    "duplicate": change(rb'"amount":5', b'"amount":5,"amount":9', digest=True),
    "duplicate-by-case": change(rb'"amount":5', b'"Amount":9,"amount":5', digest=True),
    "file": change(rb'"path":"note', b'"path":"plan', digest=False),
    "show": show,
}
ANSWERS = {
    "swap": swap,
    "replay": replay,
    "replay-later": replay_later,
    "answer": lambda _, a: change(rb'"ok":true', b'"ok":null', digest=False)(a),
    "answer-and-digest": lambda _, a: change(rb'"ok":true', b'"ok":null', digest=True)(a),
    "answer-strip": lambda _, a: strip(a),
    "event": lambda _, a: change(rb'"step":1', b'"step":9', digest=False)(a),
    "event-and-digest": lambda _, a: change(rb'"step":1', b'"step":9', digest=True)(a),
    "event-added": lambda _, a: change(rb"\Z", EVENT, digest=False)(a),
    "event-added-and-digest": lambda _, a: change(rb"\Z", EVENT, digest=True)(a),
    "answer-status": lambda _, a: ([a[0][0].replace(b" 422 ", b" 200 ")] + a[0][1:], a[1]),
    "answer-duplicate": lambda _, a: change(rb'"ok":true', b'"ok":false,"ok":true', digest=True)(a),
}
ATTACK = sys.argv[2]
assert ATTACK == "none" or ATTACK in REQUESTS or ATTACK in ANSWERS


class Relay(socketserver.StreamRequestHandler):
    def handle(self):
        while message := read_message(self.rfile):
            message = REQUESTS.get(ATTACK, lambda m: m)(message)
            head, body = ANSWERS.get(ATTACK, lambda _, a: a)(message, ask(message))
            self.wfile.write(b"".join(head) + b"\r\n" + body)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Relay)
print("Listening on 127.0.0.1:%d" % server.server_address[1], flush=True)
server.serve_forever()
