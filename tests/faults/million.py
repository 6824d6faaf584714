#!/usr/bin/env python3
"""Sends many calls through mitm_proxy, and looks whether its descriptors and its memory stay flat.

usage: million.py BIN_DIR [--count N] [--grows KIB] [-- proxy options]

The calls are made by agent_a, 64 connections at a time, in 20 rounds of new connections. What the
proxy has after the first two is the measure for the rest.
"""
import argparse
import os
import subprocess
import time

from programs import (TIMEOUT, agent_b, descriptors, end, folder, main, metric, parse, proxy, require,
                      status_of)

ROUNDS = 20
WARM = 2
CONNECTIONS = 64


def idle(process, bare):
    """Descriptors and KiB, when the round's connections are gone."""
    deadline = time.monotonic() + TIMEOUT
    while descriptors(process.pid) > bare:
        require(time.monotonic() < deadline, "descriptors stay open")
    return descriptors(process.pid), status_of(process.pid, "VmRSS")


def run():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin_dir")
    parser.add_argument("--count", type=int, default=1000000)
    parser.add_argument("--grows", type=int, default=1024, help="KiB of memory that it may")
    arguments = parse(parser)
    log = "x.ndjson"
    with folder() as work, agent_b(arguments.bin_dir) as server, \
            proxy(arguments.bin_dir, server.address, "--exchange-log", os.path.join(work, log),
                  "--quiet", *arguments.options) as process:
        bare, seen, since = descriptors(process.pid), [], time.monotonic()
        for _ in range(ROUNDS):
            subprocess.run(
                [os.path.join(arguments.bin_dir, "agent_a"), "--url",
                 "http://%s:%d/tool" % process.address, "--count", str(arguments.count // ROUNDS),
                 "--concurrency", str(CONNECTIONS), "--quiet"],
                check=True, stdout=subprocess.DEVNULL)
            seen.append(idle(process, bare))
            os.truncate(os.path.join(work, log), 0)
        done = metric(process, 'exchanges_total{status="2xx"}')
        require(end(process) == 0, "did not end with 0")
    took = time.monotonic() - since
    require(done == arguments.count, f"{done} exchanges, not {arguments.count}")
    warm, last = seen[WARM - 1], seen[-1]
    print(f"{done} exchanges in {took:.0f} s; descriptors {warm[0]} then {last[0]}, "
          f"memory {warm[1]} KiB then {last[1]} KiB")
    require(last[0] <= warm[0], "descriptors grow")
    require(last[1] - warm[1] <= arguments.grows, "memory grows")


if __name__ == "__main__":
    main(run)
