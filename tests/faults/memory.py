#!/usr/bin/env python3
"""Refuses memory to mitm_proxy, one call in a hundred, while clients call.

usage: memory.py BIN_DIR [--seconds S] [--percent P] [--seed S] [--ca DIR] [--cold] [-- proxy options]

A call is answered as agent_b answers, or fails cleanly: by the proxy's own words, or by an end that
no client takes for a whole answer. When there is memory again all is as before, and the proxy ends
with 0 and without a leak. With --ca DIR the clients speak TLS. With --cold there is no call before
memory lacks, so that what libraries do at their first use fails, too; what OpenSSL leaks there is its
own.
"""
import argparse
import json
import os
import random
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time

from programs import (Answers, Failure, TIMEOUT, agent_b, end, folder, main, metric, parse, proxy, request,
                      require, shim)

CLIENTS = 6


def connect(address, context):
    sock = socket.create_connection(address, TIMEOUT)
    return context.wrap_socket(sock, server_hostname="127.0.0.1") if context else sock


def judge(call_id, status, body):
    """True where it is agent_b's answer; the proxy's own words are none."""
    if status == 200 and body.startswith(b"event:"):
        require(b'"id":"%s"' % call_id.encode() in body, f"{call_id}: events of another call")
        return True
    answer = json.loads(body)
    if status == 200:
        require(answer["id"] == call_id, f"{call_id} got the answer to {answer['id']}")
        return True
    require(answer["error"]["by"] == "mitm_proxy", f"{call_id}: {body!r}")
    return False


class Load:
    def __init__(self, address, context, seed):
        self.address, self.context, self.seed = address, context, seed
        self.over, self.problems = False, []
        self.answered = self.refused = self.cut = 0
        self.lock = threading.Lock()

    def call_once(self, client, rng, number):
        with connect(self.address, self.context) as sock, Answers(sock) as answers:
            for i in range(rng.randrange(1, 30)):
                call_id = f"{client}-{number}-{i}"
                events = rng.random() < 0.2
                sock.sendall(request(call_id, "follow_build", b'{"steps":3}') if events else
                             request(call_id, arguments=b'"%s"' % (b"x" * rng.randrange(20000))))
                good = judge(call_id, *answers.next())
                with self.lock:
                    self.answered += good
                    self.refused += not good
                if not good:
                    return

    def call(self, client):
        rng, number = random.Random(f"{self.seed}/{client}"), 0
        while not self.over:
            number += 1
            try:
                self.call_once(client, rng, number)
            except (ConnectionError, ssl.SSLError):
                with self.lock:
                    self.cut += 1
            except (Failure, OSError, ValueError, IndexError, KeyError) as problem:
                self.problems.append(repr(problem))
                return

    def run(self, seconds):
        threads = [threading.Thread(target=self.call, args=(i,)) for i in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.over = True
        for thread in threads:
            thread.join()


def run():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin_dir")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--percent", type=float, default=1)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--ca")
    parser.add_argument("--cold", action="store_true")
    arguments = parse(parser)
    print(f"seed {arguments.seed}")
    context = None
    options = list(arguments.options)
    if arguments.ca:
        context = ssl.create_default_context(cafile=os.path.join(arguments.ca, "ca.pem"))
        options += ["--ca-dir", arguments.ca]
    with folder() as work, tempfile.NamedTemporaryFile() as control, \
            agent_b(arguments.bin_dir) as server:
        control.write(struct.pack("qq", 0, arguments.seed))
        control.flush()
        options += ["--exchange-log", os.path.join(work, "x.ndjson"), "--pcap",
                    os.path.join(work, "p.pcap"), "--pcap-source", "payload", "--quiet"]
        with proxy(arguments.bin_dir, server.address, *options,
                   shims=[shim(arguments.bin_dir, "no_memory")], env={"NO_MEMORY": control.name},
                   stderr=open(os.path.join(work, "err"), "w+", encoding="utf-8")) as process:
            try:
                if not arguments.cold:
                    call_well(process, context, "before", 1)
                put(control, arguments.percent)
                load = Load(process.address, context, arguments.seed)
                load.run(arguments.seconds)
                put(control, 0)
                if process.poll() is None:
                    settle(process, context)
                    status = end(process)
                else:
                    status = process.returncode
            finally:
                with open(os.path.join(work, "err"), encoding="utf-8") as errors:
                    said = errors.read()
        print(f"{load.answered} calls answered, {load.refused} refused, {load.cut} cut")
        if status != 0 or load.problems:
            sys.stderr.write(said[-6000:])
        require(status == 0, f"the proxy ended with {status}")
        require(not load.problems, "; ".join(load.problems[:3]))
        require(load.answered > 0 and load.refused + load.cut > 0, "nothing was tried")


def put(control, percent):
    control.seek(0)
    control.write(struct.pack("q", round(percent * 10000)))
    control.flush()


def call_well(process, context, name, count):
    with connect(process.address, context) as sock, Answers(sock) as answers:
        for i in range(count):
            sock.sendall(request(f"{name}-{i}"))
            require(judge(f"{name}-{i}", *answers.next()), "a call failed although there is memory")


def settle(process, context):
    """Memory is back: nothing fails any more, and no connection is left behind."""
    call_well(process, context, "after", 50)
    deadline = time.monotonic() + TIMEOUT
    while metric(process, "connections_open") > 0:
        require(time.monotonic() < deadline, "connections stay open that nobody has")


if __name__ == "__main__":
    main(run)
