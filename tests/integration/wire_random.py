#!/usr/bin/env python3
"""Drives mitm_proxy with random valid exchanges between raw clients and a raw origin.

usage: wire_random.py PROXY [--seed N] [--trials N] [-- proxy options]

A trial is one client connection: some requests, pipelined or in turn, with their answers, each of
any framing, sent in random pieces, and an end that either side brings about, in order or by
breaking off. What a side got must be what the other side sent, all of it where both behaved and
else its beginning; the log must tell each exchange once. At the end of all trials the proxy must
have the descriptors it began with, and end with status 0.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import random
import re
import select
import socket
import sys
import threading

from wire import Failure, Lab, Peer, TIMEOUT

AT_ONCE = 8


class Message:
    """Bytes on the wire, where their head ends, and the content in them."""

    def __init__(self, head, framed, content):
        self.wire = head + framed
        self.head_len = len(head)
        self.content = content


def random_content(rng):
    size = rng.choice([0, 1, rng.randrange(2, 200), rng.randrange(2, 200), rng.randrange(300000)])
    return rng.randbytes(size)


def chunked(rng, content):
    out = bytearray()
    at = 0
    while at < len(content):
        size = rng.randrange(1, rng.choice([2, 100, 100000]) + 1) if len(content) < 1000 else 9999
        piece = content[at:at + size]
        out += rng.choice([b"%x", b"%X", b"00%x"]) % len(piece)
        out += rng.choice([b"", b"", b";a=b", b';q="a b"']) + b"\r\n" + piece + b"\r\n"
        at += size
    return bytes(out) + b"0\r\n" + rng.choice([b"", b"X-Sum: 1\r\n", b"a:\r\nb:  \r\n"]) + b"\r\n"


def random_fields(rng):
    names = [b"X-A", b"x-a", b"ACCEPT", b"Cookie", b"x"]
    return b"".join(
        rng.choice(names) + b":" + rng.choice([b"", b" ", b"  "]) +
        rng.choice([b"", b"1", b"a  b", b"\xed\x95\x9c", b"v" * rng.randrange(1, 3000)]) + b"\r\n"
        for _ in range(rng.randrange(4)))


def add_body(rng, head, content):
    if rng.random() < 0.5:
        return Message(head + b"Transfer-Encoding: chunked\r\n\r\n", chunked(rng, content), content)
    return Message(head + b"content-length:%d \r\n\r\n" % len(content), content, content)


def random_request(rng, target):
    method = rng.choice([b"GET", b"HEAD", b"POST", b"POST", b"PUT", b"DELETE", b"OPTIONS"])
    head = method + b" " + target + b" HTTP/1.1\r\nHost: a\r\n" + random_fields(rng)
    if method in (b"GET", b"HEAD") or rng.random() < 0.2:
        message = Message(head + b"\r\n", b"", b"")
    else:
        message = add_body(rng, head, random_content(rng))
    message.method = method
    return message


def random_response(rng, method, last):
    before = b"".join(
        rng.choice([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"])
        for _ in range(rng.choice([0, 0, 0, 1, 2])))
    status = rng.choice([b"200 OK", b"200", b"404 Not  Found", b"500 x", b"204 No", b"304 Not"])
    head = before + b"HTTP/1.1 " + status + b"\r\n" + random_fields(rng)
    if status[:3] in (b"204", b"304") or method == b"HEAD":
        return Message(head + rng.choice([b"", b"Content-Length: 7\r\n"]) + b"\r\n", b"", b"")
    if last == "until close":
        content = random_content(rng)
        return Message(head + b"\r\n", content, content)
    return add_body(rng, head, random_content(rng))


class Trial:
    """What both sides will do, from the seed alone."""

    ENDS = ["client fin", "client close", "origin close", "until close", "tunnel",
            "client breaks", "origin breaks"]

    def __init__(self, seed, number):
        rng = self.rng = random.Random(f"{seed} {number}")
        self.number = number
        self.end = rng.choice(self.ENDS)
        count = rng.randrange(1, 6)
        self.requests = [random_request(rng, b"/%d/%d" % (number, i)) for i in range(count)]
        self.responses = [
            random_response(rng, request.method, self.end if i == count - 1 else None)
            for i, request in enumerate(self.requests)]
        self.up = b"".join(m.wire for m in self.requests)
        self.down = b"".join(m.wire for m in self.responses)
        self.add_tunnel()
        self.pipelined = rng.random() < 0.5
        self.early = rng.random() < 0.3
        self.reset = rng.random() < 0.5
        self.up_end = len(self.up)
        self.down_end = len(self.down)
        if self.end == "client breaks":
            self.up_end = rng.randrange(len(self.up) + 1)
        elif self.end == "origin breaks":
            self.down_end = rng.randrange(len(self.down))
        self.seeds = rng.random(), rng.random()
        self.got_up = self.got_down = b""
        self.origin_began = False
        self.origin_done = threading.Event()

    def add_tunnel(self):
        self.tunnel = b""
        if self.end == "tunnel":
            self.requests.append(Message(
                b"GET /%d/t HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
                % self.number, b"", b""))
            self.responses.append(Message(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"", b""))
            self.tunnel = random_content(self.rng)
            self.up += self.requests[-1].wire + self.tunnel
            self.down += self.responses[-1].wire + self.tunnel

    def behaved(self):
        return not self.end.endswith("breaks")


def send_pieces(sock, data, rng):
    """In pieces of random length; False once the other side has gone."""
    step = rng.choice([1, 10, 1000, 1 << 20]) if len(data) < 3000 else rng.choice([3000, 1 << 20])
    at = 0
    try:
        while at < len(data):
            size = rng.randrange(1, step + 1)
            sock.sendall(data[at:at + size])
            at += size
    except ConnectionError:
        return False
    return True


def break_off(peer, reset):
    if reset:
        peer.reset()
    else:
        peer.sock.close()


def run_client(trial, lab):
    peer = lab.connect()
    peer.sock.settimeout(TIMEOUT)
    rng = random.Random(trial.seeds[0])
    sent = got = 0
    for i, (request, response) in enumerate(zip(trial.requests, trial.responses)):
        end = sent + len(request.wire)
        got += len(response.wire)
        writer = threading.Thread(
            target=send_pieces, args=(peer.sock, trial.up[sent:min(end, trial.up_end)], rng))
        writer.start()
        if not trial.pipelined and trial.behaved():
            read_to(peer, got)
        if trial.pipelined or not trial.behaved():
            read_while(peer, writer)
        writer.join()
        sent = end
        if sent > trial.up_end:
            break
    if trial.end == "client breaks":
        trial.got_down = peer.got
        break_off(peer, trial.reset)
        return
    if trial.tunnel:
        send_pieces(peer.sock, trial.tunnel, rng)
    if trial.end in ("client fin", "tunnel"):
        peer.sock.shutdown(socket.SHUT_WR)
    if trial.end == "client close":
        read_to(peer, len(trial.down))
    else:
        read_to(peer, None)
    trial.got_down = peer.got
    peer.sock.close()


def read_to(peer, length):
    """Until LENGTH bytes have come in all, or the end."""
    while (length is None or len(peer.got) < length) and peer.read_more():
        pass
    if not peer.end and (length is None or len(peer.got) < length):
        raise Failure(f"{len(peer.got)} of {length} bytes came, and nothing more")


def read_while(peer, thread):
    while thread.is_alive():
        peer.read_more(0.01)


def run_origin(trial, peer):
    """Answers each request once it is there, or, early, once its head is."""
    rng = random.Random(trial.seeds[1])
    wanted = sent = 0
    for request, response in zip(trial.requests, trial.responses):
        cut = rng.randrange(response.head_len, len(response.wire) + 1) if trial.early else 0
        if cut == len(response.wire):
            cut = 0  # an answer that ends before its request does ends the connection
        pieces = [(wanted + request.head_len, sent + cut)] if cut else []
        wanted += len(request.wire)
        pieces.append((wanted, sent + len(response.wire)))
        for needed, until in pieces:
            read_to(peer, needed)
            alive = send_pieces(peer.sock, trial.down[sent:min(until, trial.down_end)], rng)
            if not alive or until > trial.down_end or len(peer.got) < needed:
                trial.got_up = peer.got
                break_off(peer, trial.reset)
                return
            sent = until
    if trial.tunnel:
        send_pieces(peer.sock, trial.tunnel, rng)
    if trial.end not in ("origin close", "until close", "origin breaks"):
        read_to(peer, None)
    trial.got_up = peer.got
    break_off(peer, trial.end == "origin breaks" and trial.reset)


class Origin:
    """Takes connections, and finds in the first target whose they are."""

    def __init__(self, lab, trials):
        self.lab, self.trials = lab, trials
        self.failures = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                sock = self.lab.origin.accept()[0]
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        sock.settimeout(TIMEOUT)
        peer = Peer(sock, False)
        while b"\r\n\r\n" not in peer.got and peer.read_more():
            pass
        found = re.match(rb"\S+ /(\d+)/", peer.got)
        if not found:  # the client had broken off before
            sock.close()
            return
        trial = self.trials[int(found[1])]
        trial.origin_began = True
        try:
            run_origin(trial, peer)
        except (Failure, OSError) as failure:
            self.failures.append(f"trial {trial.number} ({trial.end}), origin: {failure}")
            sock.close()
        trial.origin_done.set()


def check_bytes(trial):
    if trial.behaved() and (trial.got_up != trial.up or trial.got_down != trial.down):
        raise Failure(f"{len(trial.got_up)} of {len(trial.up)} bytes up, "
                      f"{len(trial.got_down)} of {len(trial.down)} down")
    if not trial.up.startswith(trial.got_up):
        raise Failure("the origin got bytes that nobody sent")
    if not (trial.down.startswith(trial.got_down) or answered_by_proxy(trial)):
        raise Failure(f"the client got bytes that nobody sent: {trial.got_down[:300]!r}")


def answered_by_proxy(trial):
    """Whole messages of the origin, then the proxy's own word."""
    for found in re.finditer(rb"HTTP/1.1 50[24] [^\r]*\r\nDate: ", trial.got_down):
        if trial.down.startswith(trial.got_down[:found.start()]):
            return found.start() in message_ends(trial)
    return False


def message_ends(trial):
    ends, at = {0}, 0
    for response in trial.responses:
        for found in re.finditer(rb"\r\n\r\n", response.wire[:response.head_len]):
            ends.add(at + found.end())  # of a 100 or 103, or of the head itself
        ends.discard(at + response.head_len)
        at += len(response.wire)
        ends.add(at)
    return ends


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def check_log(trial, records):
    targets = [record["target"] for record in records]
    if len(set(targets)) < len(targets):
        raise Failure(f"an exchange was logged twice: {targets}")
    if not trial.behaved():
        return
    if len(records) != len(trial.requests):
        raise Failure(f"{len(records)} records of {len(trial.requests)} exchanges")
    for request, response, record in zip(trial.requests, trial.responses, records):
        if record["error"] or record["request_sha256"] != sha256(request.content):
            raise Failure(f"the log does not tell the request: {record}")
        if record["status"] != 101 and record["response_sha256"] != sha256(response.content):
            raise Failure(f"the log does not tell the response: {record}")


def descriptors(lab):
    return len(os.listdir(f"/proc/{lab.process.pid}/fd"))


def wait_for_descriptors(lab, wanted):
    for _ in range(TIMEOUT * 100):
        if descriptors(lab) <= wanted:
            return
        select.select([], [], [], 0.01)
    raise Failure(f"{descriptors(lab)} descriptors are open, {wanted} were at the start")


def read_records(lab):
    records = {}
    for line in lab.log:
        record = json.loads(line)
        if record["target"]:
            records.setdefault(int(record["target"].split("/")[1]), []).append(record)
    return records


def check_trial(trial, records):
    if (trial.origin_began or trial.behaved()) and not trial.origin_done.wait(TIMEOUT):
        raise Failure("the origin saw no end")
    check_bytes(trial)
    check_log(trial, records)


def run_all(args, options):
    lab = Lab(args.proxy, options, False)
    trials = [Trial(args.seed, number) for number in range(args.trials)]
    origin = Origin(lab, trials)
    before = descriptors(lab)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [pool.submit(run_client, trial, lab) for trial in trials]
    failures = origin.failures
    for trial, run in zip(trials, runs):
        if run.exception():
            failures.append(f"trial {trial.number} ({trial.end}): {run.exception()!r}")
    try:
        wait_for_descriptors(lab, before)
        records = read_records(lab)
        lab.close()
    except Failure as failure:
        return failures + [str(failure)]
    for trial in trials:
        try:
            check_trial(trial, records.get(trial.number, []))
        except Failure as failure:
            failures.append(f"trial {trial.number} ({trial.end}): {failure}")
    return failures


def main():
    words, options = sys.argv[1:], []
    if "--" in words:
        options = words[words.index("--") + 1:]
        words = words[:words.index("--")]
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1])
    parser.add_argument("proxy")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--trials", type=int, default=300)
    args = parser.parse_args(words)
    failures = run_all(args, options)
    for failure in failures:
        print(f"FAILED {failure[:600]}")
    print(f"seed {args.seed}: {args.trials - len(failures)} of {args.trials} trials passed")
    sys.exit(1 if failures else 0)


main()
