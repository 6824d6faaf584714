#!/usr/bin/env python3
"""What a rule does by chance repeats with its seed, and is as frequent as it says.

usage: actions_chance.py PROXY
"""
import sys

from actions_lab import Lab
from wire import Failure

CALLS = 400
RULE = '{"name": "r", "on": "request", "when": {"probability": %s, "seed": %s}, ' \
       '"do": [{"respond": {"status": 204}}]}'
OTHERS = '{"name": "all", "on": "request", "do": [{"respond": {"status": 204}}]}'


def fired(program, probability, seed, pipelined=True):
    """At which of the calls the rule fired, by the log; another rule answers them all."""
    lab = Lab(program, [], [RULE % (probability, seed), OTHERS])
    request, answers = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0
    client = lab.connect()
    try:
        if pipelined:
            client.send(request * CALLS)
        while answers < CALLS:
            if not pipelined:
                client.send(request)
            before = answers
            while answers == before and client.read_more():
                answers += client.got.count(b"\r\n\r\n")
                client.got = client.got[client.got.rfind(b"\r\n\r\n") + 4:] \
                    if b"\r\n\r\n" in client.got else client.got
            if answers == before:
                raise Failure(f"{answers} answers to {CALLS} calls")
        return ["r" in lab.record()["rules"] for _ in range(CALLS)]
    finally:
        client.sock.close()
        lab.close()


def main():
    program = sys.argv[1]
    first = fired(program, "0.3", "7")
    print(f"{sum(first)} of {CALLS} calls at a probability of 0.3")
    # Eight standard deviations: a fair chance fails once in 10^15 seeds, and the seed is fixed.
    assert abs(sum(first) - 0.3 * CALLS) < 8 * (CALLS * 0.3 * 0.7) ** 0.5
    assert fired(program, "0.3", "7", pipelined=False) == first, "a run does not repeat"
    assert fired(program, "0.3", "8") != first, "the seed does not matter"
    assert not any(fired(program, "0", "7"))
    assert all(fired(program, "1", "7"))


if __name__ == "__main__":
    main()
