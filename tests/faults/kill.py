#!/usr/bin/env python3
"""Kills mitm_proxy again and again under load, and looks whether its log has what clients got.

usage: kill.py BIN_DIR [--times N] [--seed S] [--torn] [-- proxy options]

Each client notes every response that it has whole. The proxy starts again behind the same log. In
the end each of these has one record, with its digest, and of each kill at most one line is torn.
With --torn what the proxy writes goes in small pieces, so that nearly every kill tears one.
"""
import argparse
import json
import os
import random
import signal
import socket
import threading

from programs import (Answers, Failure, agent_b, digest, end, folder, main, parse, proxy, request, require,
                      shim)

CLIENTS = 8


class Load:
    """CLIENTS connections that call until they are cut; what came whole is in `answered`."""

    def __init__(self, address, prefix, seed):
        self.address, self.prefix = address, prefix
        self.answered = {}
        self.changed = threading.Condition()
        self.live = CLIENTS
        self.threads = [threading.Thread(target=self.call, args=(i, random.Random(f"{seed}/{i}")))
                        for i in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def note(self, call_id, answer):
        with self.changed:
            self.answered[call_id] = answer
            self.changed.notify()

    def call(self, client, rng):
        count = 0
        try:
            with socket.create_connection(self.address) as sock, Answers(sock) as answers:
                while True:
                    ids = [f"{self.prefix}-{client}-{count + i}" for i in range(rng.choice((1, 1, 4)))]
                    count += len(ids)
                    sock.sendall(b"".join(
                        request(i, "follow_build", b'{"steps":3}') if rng.random() < 0.1 else request(i)
                        for i in ids))
                    for call_id in ids:
                        status, body = answers.next()
                        self.note(call_id, (status, digest(body)))
        except ConnectionError:
            pass
        finally:
            with self.changed:
                self.live -= 1
                self.changed.notify()

    def wait_for(self, count):
        with self.changed:
            self.changed.wait_for(lambda: len(self.answered) >= count or self.live == 0)
            require(self.live > 0, "a client was cut before the kill")


def read_log(path):
    """Records by call id, and how many lines are none."""
    records, torn = {}, 0
    with open(path, "rb") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                torn += 1
                continue
            require(line.endswith(b"\n"), "the last line has no end")
            require(record["call_id"] not in records, f"{record['call_id']} is recorded twice")
            records[record["call_id"]] = record
    return records, torn


def check(answered, records):
    for call_id, (status, sha256) in answered.items():
        record = records.get(call_id)
        require(record, f"a client has the answer to {call_id}, and the log has not")
        told = (record["status"], record["response_sha256"], record["error"])
        require(told == (status, sha256, None), f"the log says {told} of {call_id}")


def run():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin_dir")
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--torn", action="store_true")
    arguments = parse(parser)
    print(f"seed {arguments.seed}")
    rng, answered = random.Random(arguments.seed), {}
    how = {}
    if arguments.torn:
        how = {"shims": [shim(arguments.bin_dir, "short_writes")], "env": {"SHORT_WRITES": "file:1"}}
    with folder() as work, agent_b(arguments.bin_dir) as server:
        log = os.path.join(work, "exchanges.ndjson")
        options = ["--exchange-log", log, "--quiet", *arguments.options]
        for i in range(arguments.times):
            with proxy(arguments.bin_dir, server.address, *options, **how) as process:
                load = Load(process.address, f"{i}", f"{arguments.seed}/{i}")
                try:
                    load.wait_for(rng.randrange(1, 300))
                finally:
                    end(process, signal.SIGKILL)
                    for thread in load.threads:
                        thread.join()
                answered.update(load.answered)
        with proxy(arguments.bin_dir, server.address, *options) as process:
            with socket.create_connection(process.address) as sock:
                sock.sendall(request("the last one"))
                status, body = Answers(sock).next()
            answered["the last one"] = (status, digest(body))
            require(end(process) == 0, "the proxy did not end with 0")
        records, torn = read_log(log)
    check(answered, records)
    if torn > arguments.times:
        raise Failure(f"{torn} torn lines after {arguments.times} kills")
    print(f"{arguments.times} kills, {len(answered)} answers that clients got, "
          f"{len(records)} records, {torn} torn lines: none missing")


if __name__ == "__main__":
    main(run)
