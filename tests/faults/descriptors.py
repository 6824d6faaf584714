#!/usr/bin/env python3
"""Takes mitm_proxy its descriptors.

usage: descriptors.py BIN_DIR

Where none is free for a client, the proxy does not spin, and answers again as soon as there are some,
each time anew. Where none is free for the upstream, the client gets 503.
"""
import resource
import socket
import sys
import time

from programs import (Answers, TIMEOUT, agent_b, cpu_seconds, descriptors, end, main, proxy, request,
                      require)

LIMIT = 32
ROUNDS = 3
WATCHED = 1.0      # s in which nothing can be accepted
CPU_SHARE = 0.2    # of that time, at most; who spins takes all of it


def call(address):
    with socket.create_connection(address, TIMEOUT) as sock, Answers(sock) as answers:
        sock.sendall(request("call"))
        return answers.next()


def wait_until(holds, what):
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        require(time.monotonic() < deadline, what)


def wait_for_idle(process, idle):
    """libuv may have one less, which it cannot open again where there is a sandbox."""
    wait_until(lambda: descriptors(process.pid) <= idle, "descriptors stay open")


def connect(process, count):
    return [socket.create_connection(process.address, TIMEOUT) for _ in range(count)]


def none_for_clients(process, idle):
    before = cpu_seconds(process.pid)
    crowd = connect(process, 2 * LIMIT)
    time.sleep(WATCHED)
    used = cpu_seconds(process.pid) - before
    require(descriptors(process.pid) >= LIMIT - 1, "the crowd did not take all")
    require(used < CPU_SHARE * WATCHED, f"{used} s of CPU in {WATCHED} s: it spins")
    for sock in crowd:
        sock.close()
    wait_for_idle(process, idle)
    status, _ = call(process.address)
    require(status == 200, f"answered {status} when descriptors were free again")
    wait_for_idle(process, idle)
    return used


def none_for_the_upstream(process, idle):
    crowd = connect(process, LIMIT - descriptors(process.pid) - 1)
    wait_until(lambda: descriptors(process.pid) == LIMIT - 1, "the crowd was not accepted")
    status, body = call(process.address)
    require(status == 503 and b'"no_descriptors"' in body, f"answered {status} {body}")
    for sock in crowd:
        sock.close()
    wait_for_idle(process, idle)
    require(call(process.address)[0] == 200, "no answer when descriptors were free again")
    wait_for_idle(process, idle)


def run():
    bin_dir = sys.argv[1]
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    with agent_b(bin_dir) as server, \
            proxy(bin_dir, server.address, "--quiet", preexec_fn=few) as process:
        idle = descriptors(process.pid)
        require(call(process.address)[0] == 200, "no answer at first")
        wait_for_idle(process, idle)
        used = [none_for_clients(process, idle) for _ in range(ROUNDS)]
        for _ in range(ROUNDS):
            none_for_the_upstream(process, idle)
        require(end(process) == 0, "did not end with 0")
    print("CPU while nothing could be accepted: " + ", ".join(f"{1000 * u:.0f} ms" for u in used))


if __name__ == "__main__":
    main(run)
